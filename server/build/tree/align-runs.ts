import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { ContentRun } from '../../filesystems/node.ts';

const BLOCK = 4096;
const COPY_BYTES = 1024 * 1024;

/**
 * Filesystems keep content in whole blocks; a sparse member of a tar may begin its runs anywhere. Runs that do not begin at a
 * block are written out, with the zeros around them, into a file of their own.
 * @param sideFile names that file; asked for only when it is needed
 * @returns runs that begin at multiples of 4096
 */
export function alignRuns(content: readonly ContentRun[], sideFile: () => string): readonly ContentRun[] {
  if (content.every(({ at }) => at % BLOCK === 0)) return content;
  const path = sideFile();
  const out = openSync(path, 'wx');
  try {
    for (const run of content) copy(run, out);
  } finally {
    closeSync(out);
  }
  const aligned: ContentRun[] = [];
  for (const { at, bytes } of content) {
    const start = at - (at % BLOCK);
    const last = aligned[aligned.length - 1];
    // Two runs in one block, or in blocks side by side, are one.
    if (last && start <= last.at + Math.ceil(last.bytes / BLOCK) * BLOCK)
      aligned[aligned.length - 1] = { ...last, bytes: at + bytes - last.at };
    else aligned.push({ at: start, bytes: at + bytes - start, file: path, offset: start });
  }
  return aligned;
}

function copy({ at, bytes, file, offset }: ContentRun, out: number): void {
  const source = openSync(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, bytes));
    for (let done = 0; done < bytes; ) {
      const read = readSync(source, buffer, 0, Math.min(buffer.length, bytes - done), offset + done);
      if (read === 0) throw new Error(`${file} became shorter while it was read`);
      // On a disk that is all but full a write may be short; the next one then says why.
      for (let written = 0; written < read; )
        written += writeSync(out, buffer, written, read - written, at + done + written);
      done += read;
    }
  } finally {
    closeSync(source);
  }
}
