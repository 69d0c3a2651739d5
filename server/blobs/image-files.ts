import { createHash, hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { ImageFiles } from '../core/file-ports.ts';
import { filesOf, type ImageIndex, parseIndex } from '../core/image-index.ts';
import { ensureFolder, publish, syncFolder } from './atomic.ts';
import { discardDraft } from './image-draft.ts';
import { openPacks } from './pack-files.ts';
import type { PackReaders } from './pack-readers.ts';
import { createPackWriter } from './pack-writer.ts';
import { imageFolder, imagesFolder, imageTempFolder, packPath } from './places.ts';

/** The files of the store. To be used by one process at a time: the one that holds the data folder. */
export function imageFiles(dataDir: string, readers: PackReaders): ImageFiles {
  return {
    async publish(draft, digest) {
      const temp = imageTempFolder(dataDir, draft);
      const index = await readIndex(temp, digest);
      // The pack first: an image's folder without its frames would be a lie, a pack without image is swept.
      const pack = packPath(dataDir, draft);
      if (await exists(`${pack}.tmp`)) await publish(`${pack}.tmp`, pack);
      await publishFolder(temp, imageFolder(dataDir, digest), index);
      return index;
    },

    async discardDraft(draft, keepPack = false) {
      await discardDraft(dataDir, draft);
      if (!keepPack) await rm(packPath(dataDir, draft), { force: true });
    },

    async removeImage(digest) {
      const folder = imageFolder(dataDir, digest);
      const gone = imageTempFolder(dataDir, `gone-${digest.slice('sha256:'.length)}`);
      await rm(gone, { recursive: true, force: true });
      try {
        // In one step, so that no crash leaves half an image under its name.
        await publish(folder, gone);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
        throw error;
      }
      const sizes = (await readdir(gone)).map(async (name) => (await stat(join(gone, name))).size);
      const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
      await rm(gone, { recursive: true, force: true });
      return bytes;
    },

    moved: readers.moved,

    async removePack(id) {
      const remove = () => rm(packPath(dataDir, id), { force: true });
      const free = readers.whenFree(id);
      if (free === null) await remove();
      // What cannot be removed then is swept at the next start.
      else free.then(remove).catch(() => {});
    },

    async copyFrames(to, batches) {
      const writer = await createPackWriter(dataDir, to);
      const packs = openPacks(dataDir);
      const moved: { sha256: string; offset: number }[] = [];
      try {
        for await (const batch of batches)
          for (const { sha256, packId, offset, bytes } of batch) {
            const frame = Buffer.allocUnsafe(bytes);
            await packs.read(packId, offset, frame);
            moved.push({ sha256, offset: await writer.append(frame) });
          }
        const bytes = await writer.seal();
        if (bytes > 0) await publish(`${packPath(dataDir, to)}.tmp`, packPath(dataDir, to));
        return { bytes, moved };
      } catch (error) {
        await writer.close();
        await rm(`${packPath(dataDir, to)}.tmp`, { force: true });
        throw error;
      } finally {
        await packs[Symbol.asyncDispose]();
      }
    },
  };

  async function readIndex(folder: string, digest: Digest): Promise<ImageIndex> {
    const text = await readFile(join(folder, 'index.json'));
    if (`sha256:${hash('sha256', text)}` !== digest)
      throw new Error(`the draft of ${digest} is another image`);
    const parsed = parseIndex(text.toString());
    if (!parsed.ok) throw new Error(`the index of ${digest} cannot be read: ${parsed.reason}`);
    return parsed.value;
  }

  /**
   * A folder that is there stays where it is: it may be read right now. Files of it that are not what the index says are
   * replaced one by one; whoever has one open keeps what was opened.
   */
  async function publishFolder(temp: string, final: string, index: ImageIndex): Promise<void> {
    await ensureFolder(imagesFolder(dataDir));
    await syncFolder(temp);
    if (!(await exists(final))) return publish(temp, final);
    const wanted = [
      { name: 'index.json', sha256: hash('sha256', await readFile(join(temp, 'index.json'))) },
      ...filesOf(index),
    ];
    for (const { name, sha256 } of wanted)
      if ((await hashOf(join(final, name))) !== sha256) await replace(join(temp, name), join(final, name));
    await syncFolder(final);
    await rm(temp, { recursive: true });
  }
}

/** A draft that was told that the image is stored brings no kernel: then damage that no check has seen yet stays. */
async function replace(temp: string, final: string): Promise<void> {
  await rename(temp, final).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new WarmbootError(
      'conflict',
      `${final} is damaged. Run \`warmboot image verify\`, then send the image again.`,
    );
  });
}

/** sha256 of a file in hex; null when it cannot be read. */
export async function hashOf(file: string): Promise<string | null> {
  const sum = createHash('sha256');
  try {
    for await (const part of createReadStream(file, { highWaterMark: 1024 * 1024 })) sum.update(part);
  } catch (error) {
    if (['ENOENT', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  return sum.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
