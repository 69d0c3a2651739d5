import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageDraft } from '../core/file-ports.ts';
import { syncFolder, writeSynced } from './atomic.ts';
import { createPackWriter } from './pack-writer.ts';
import { imageTempFolder, packPath } from './places.ts';

/** @param build id of the build: letters, digits and dashes */
export async function draftImage(dataDir: string, build: string): Promise<ImageDraft> {
  const folder = imageTempFolder(dataDir, build);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const writer = await createPackWriter(dataDir, build).catch(async (error) => {
    await discardDraft(dataDir, build);
    throw error;
  });
  return {
    folder,
    append: writer.append,
    async seal(texts) {
      for (const [name, text] of Object.entries(texts)) await writeSynced(join(folder, name), text);
      await syncFolder(folder);
      return { packBytes: await writer.seal() };
    },
    async discard() {
      await writer.close();
      await discardDraft(dataDir, build);
    },
  };
}

/** Removes what a build left that ended without a word. Only temporary names: what was published is the server's. */
export async function discardDraft(dataDir: string, build: string): Promise<void> {
  await rm(imageTempFolder(dataDir, build), { recursive: true, force: true });
  await rm(`${packPath(dataDir, build)}.tmp`, { force: true });
}
