/** What a filesystem can leave out. */
const BLOCK_BYTES = 4096;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** What is not zeros, in whole blocks counted from the start of `data`; a last part of a block counts as one. */
export function* contentRuns(data: Uint8Array): Generator<{ start: number; end: number }> {
  let start = -1;
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    const isZero = isAllZero(data, at, Math.min(at + BLOCK_BYTES, data.length));
    if (!isZero && start < 0) start = at;
    if (isZero && start >= 0) {
      yield { start, end: at };
      start = -1;
    }
  }
  if (start >= 0) yield { start, end: data.length };
}

function isAllZero(data: Uint8Array, start: number, end: number): boolean {
  return ZEROS.compare(data, start, end, 0, end - start) === 0;
}
