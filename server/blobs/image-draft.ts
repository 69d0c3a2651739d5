import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeSynced } from './atomic.ts';
import { createPackWriter } from './pack-writer.ts';
import { imageTempFolder, packPath } from './places.ts';

/** An image while it is written: a folder for its files and the pack of its new frames, both under temporary names. */
export interface ImageDraft {
  /** For kernel and initrd, which must be synced when it is sealed. */
  readonly folder: string;
  /** Adds a frame to the build's pack. @returns where it begins there */
  append(frame: Uint8Array): Promise<number>;
  /**
   * Writes the texts beside kernel and initrd and syncs everything. Only the server itself gives it its final names
   * afterwards (`image-files.ts`).
   * @returns length of the pack; 0 and no pack when no frame was added
   */
  seal(texts: Readonly<Record<string, string>>): Promise<{ packBytes: number }>;
  /** Removes all of it, whatever was reached. */
  discard(): Promise<void>;
}

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
