import { execa } from 'execa';
import type { ByteExtent } from '../core/chunks.ts';
import { BuildError } from './build-error.ts';
import { PINNED_ENVIRONMENT } from './e2fsprogs.ts';

/**
 * The runs of blocks that an ext4 does not use, in rising order. In a fresh sparse file they are holes: there is no
 * need to read them (Node has no SEEK_DATA), and by definition nothing in them belongs to the image.
 */
export async function freeExtents(file: string, signal: AbortSignal): Promise<ByteExtent[]> {
  const result = await execa('/sbin/dumpe2fs', [file], {
    env: PINNED_ENVIRONMENT,
    reject: false,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  if (result.failed)
    throw new BuildError('tool', `dumpe2fs could not read the new filesystem: ${result.stderr}`);
  return parseFreeBlocks(result.stdout);
}

/** From dumpe2fs's "Free blocks: 12-34, 56" of each group and its "Block size:". */
export function parseFreeBlocks(text: string): ByteExtent[] {
  const blockBytes = Number(/^Block size: +(\d+)$/m.exec(text)?.[1]);
  const extents: ByteExtent[] = [];
  for (const [, list = ''] of text.matchAll(/^ {2}Free blocks: (.*)$/gm))
    for (const [, first, last] of list.matchAll(/(\d+)(?:-(\d+))?/g)) {
      const offset = Number(first) * blockBytes;
      const bytes = (Number(last ?? first) + 1) * blockBytes - offset;
      const before = extents[extents.length - 1];
      if (before && before.offset + before.bytes === offset)
        extents[extents.length - 1] = { offset: before.offset, bytes: before.bytes + bytes };
      else extents.push({ offset, bytes });
    }
  return extents;
}
