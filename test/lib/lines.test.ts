import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { lines } from '../../server/lib/lines.ts';

test.each([
  ['nothing', [], []],
  ['one line over two chunks, and an empty one', ['a', 'b\n\nc'], ['ab', '', 'c']],
  ['what JSON strings may contain ends no line', ['a\u2028b\rc\n'], ['a\u2028b\rc']],
  ['a character of three bytes over two chunks', [Buffer.from([0xe2, 0x82]), Buffer.from([0xac, 10])], ['€']],
])('%s', async (_, chunks, expected) => {
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  const found: string[] = [];
  for await (const line of lines(stream)) found.push(line);
  expect(found).toEqual(expected);
});
