import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Inode } from './file-tree.ts';

/** Copies a file out of a layer, synced. @returns its length and sha256 */
export async function copyOut(inode: Inode, target: string): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash('sha256');
  const bytes = inode.entry.size;
  const file = await open(target, 'wx', 0o644);
  try {
    if (inode.content) {
      const { file: path, offset } = inode.content;
      for await (const data of createReadStream(path, {
        start: offset,
        end: offset + bytes - 1,
        highWaterMark: 1 << 20,
      })) {
        digest.update(data as Buffer);
        await file.writeFile(data as Buffer);
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes, sha256: digest.digest('hex') };
}
