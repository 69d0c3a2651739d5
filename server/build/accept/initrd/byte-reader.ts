/** An initrd that cannot be read: damaged, cut off, or in a format that Linux does not know either. A clause for people. */
export class InitrdError extends Error {
  override readonly name = 'InitrdError';
}

/** Reads a stream of any length from front to back, holding no more of it than is asked for at once. */
export interface ByteReader {
  /** The next bytes, which stay; fewer at the end. */
  peek(bytes: number): Promise<Buffer>;
  /** The next bytes. @throws InitrdError when there are fewer */
  take(bytes: number): Promise<Buffer>;
  /** @throws InitrdError when there are fewer */
  skip(bytes: number): Promise<void>;
  /** All that is left. */
  rest(): AsyncGenerator<Buffer>;
}

export function byteReader(source: AsyncIterable<Buffer>): ByteReader {
  const parts = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let ended = false;

  /** False at the end of the stream. */
  const more = async (): Promise<boolean> => {
    if (ended) return false;
    const next = await parts.next();
    if (next.done) ended = true;
    else held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
    return !ended;
  };
  const peek = async (bytes: number): Promise<Buffer> => {
    while (held.length < bytes && (await more()));
    return held.subarray(0, bytes);
  };

  return {
    peek,
    async take(bytes) {
      const data = await peek(bytes);
      if (data.length < bytes) throw new InitrdError('it is cut off');
      held = held.subarray(bytes);
      return data;
    },
    async skip(bytes) {
      let left = bytes;
      while (left > held.length) {
        left -= held.length;
        held = Buffer.alloc(0);
        if (!(await more())) throw new InitrdError('it is cut off');
      }
      held = held.subarray(left);
    },
    async *rest() {
      do {
        const data = held;
        held = Buffer.alloc(0);
        if (data.length > 0) yield data;
      } while (await more());
    },
  };
}
