import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, syncFolder, writeSynced } from './atomic.ts';
import { createPackWriter } from './pack-writer.ts';
import { imageFolder, imageTempFolder, packPath } from './places.ts';

/** An image while it is written: a folder for its files and the pack of its new frames. */
export interface ImageDraft {
  /** For kernel and initrd, which must be synced when it is published. */
  readonly folder: string;
  /** Adds a frame to the build's pack. @returns where it begins there */
  append(frame: Uint8Array): Promise<number>;
  /**
   * Writes the texts beside kernel and initrd, syncs everything and gives pack and folder their final names.
   * @returns length of the pack; 0 and no pack when no frame was added
   */
  publish(digest: string, texts: Readonly<Record<string, string>>): Promise<{ packBytes: number }>;
  /** Removes all of it, whatever was reached. */
  discard(): Promise<void>;
}

/** @param build id of the build: letters, digits and dashes */
export async function draftImage(dataDir: string, build: string): Promise<ImageDraft> {
  const folder = imageTempFolder(dataDir, build);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const writer = await createPackWriter(dataDir, build);
  return {
    folder,
    append: writer.append,
    async publish(digest, texts) {
      for (const [name, text] of Object.entries(texts)) await writeSynced(join(folder, name), text);
      // The pack first: an image's folder without its frames would be a lie, a pack without image is swept.
      const packBytes = await writer.publish();
      await publishFolder(dataDir, digest, folder);
      return { packBytes };
    },
    async discard() {
      await writer.close();
      await discardDraft(dataDir, build);
    },
  };
}

/** Removes what a build left that ended without a word. */
export async function discardDraft(dataDir: string, build: string): Promise<void> {
  await rm(imageTempFolder(dataDir, build), { recursive: true, force: true });
  await rm(`${packPath(dataDir, build)}.tmp`, { force: true });
  await rm(packPath(dataDir, build), { force: true });
}

/**
 * A folder that is there stays when it has the same frames: it may be read right now. One with other frames was left
 * by a crash before its commit (the frames of a stored image are found again, so they come out the same).
 */
async function publishFolder(dataDir: string, digest: string, temp: string): Promise<void> {
  await syncFolder(temp);
  const final = imageFolder(dataDir, digest);
  const present = await readFile(join(final, 'frames.json')).catch(() => null);
  const made = await readFile(join(temp, 'frames.json'));
  if (present?.equals(made)) {
    await rm(temp, { recursive: true });
    return;
  }
  const aside = `${temp}-old`;
  await rename(final, aside).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await publish(temp, final);
  await rm(aside, { recursive: true, force: true });
}
