import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Inode } from '../../filesystems/node.ts';

const READ_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(READ_BYTES);

/** Copies a file out of a layer, synced. @returns its length and sha256 */
export async function copyOut(inode: Inode, target: string): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash('sha256');
  const file = await open(target, 'wx', 0o644);
  try {
    for await (const data of readContent(inode)) {
      digest.update(data);
      await file.writeFile(data);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes: inode.meta.size, sha256: digest.digest('hex') };
}

/** A small file as a whole. */
export async function readWhole(inode: Inode): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const data of readContent(inode)) parts.push(Buffer.from(data));
  return Buffer.concat(parts);
}

/** A file's content from its start to its end, holes as zeros. */
export async function* readContent({ meta, content }: Inode): AsyncGenerator<Buffer> {
  let at = 0;
  for (const run of content) {
    yield* zeros(run.at - at);
    const range = { start: run.offset, end: run.offset + run.bytes - 1, highWaterMark: READ_BYTES };
    if (run.bytes > 0) yield* createReadStream(run.file, range) as AsyncIterable<Buffer>;
    at = run.at + run.bytes;
  }
  yield* zeros(meta.size - at);
}

function* zeros(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= READ_BYTES) yield ZEROS.subarray(0, Math.min(READ_BYTES, left));
}
