import type { Readable } from 'node:stream';

/**
 * The lines of a UTF-8 stream, without their `\n`; the last may lack one. Not `node:readline`: that one also ends lines at `\r`,
 * U+2028 and U+2029, which JSON strings may contain.
 */
export async function* lines(stream: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const data of stream) {
    const text = typeof data === 'string' ? data : decoder.decode(data as Uint8Array, { stream: true });
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
