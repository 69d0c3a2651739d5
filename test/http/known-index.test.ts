import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Decompressor } from 'zstd-napi';
import { imageFolder } from '../../server/blobs/places.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

/** What is sent to a client that says which index it has: RFC 9842 (dictionaries) on RFC 9110 (codings, conditions, ranges). */

let server: TestServer;
let [first, second]: readonly RandomImage[] = [];
const texts = new Map<string, Buffer>();
beforeAll(async () => {
  server = await runningServer();
  [first, second] = await storeRandomImages(server.dataDir, 8 * 2 ** 20);
  for (const image of [first, second])
    for (const file of ['index.json', 'frames.json'])
      texts.set(at(image, file), (await server.boot(at(image, file))).body);
}, 60_000);
afterAll(() => server.close());

const at = (image: RandomImage | undefined, file: string) => `/boot/images/${image?.digest}/${file}`;
const textOf = (image: RandomImage | undefined, file: string) =>
  texts.get(at(image, file)) ?? Buffer.alloc(0);
const named = (text: Buffer) => `:${createHash('sha256').update(text).digest('base64')}:`;
const asking = (text: Buffer, more: Record<string, string> = {}) => ({
  'accept-encoding': 'gzip, dcz',
  'available-dictionary': named(text),
  ...more,
});

/** By a decoder that knows nothing of dcz but RFC 9842, 5. */
function decoded(body: Buffer, dictionary: Buffer): string {
  expect(body.subarray(0, 8).toString('hex')).toBe('5e2a4d1820000000');
  expect(`:${body.subarray(8, 40).toString('base64')}:`).toBe(named(dictionary));
  const decompressor = new Decompressor();
  decompressor.loadDictionary(dictionary);
  return decompressor.decompress(body.subarray(40)).toString();
}

test('an index comes without what stands in the one that the client has, the frames without what stands in theirs', async () => {
  const old = textOf(first, 'index.json');
  const own = textOf(second, 'index.json');
  for (const [file, dictionary, most] of [
    ['index.json', old, 0.35],
    ['frames.json', own, 0.2],
  ] as const) {
    const { status, headers, body } = await server.boot(at(second, file), { headers: asking(dictionary) });
    const text = textOf(second, file);
    expect([status, headers['content-encoding'], headers['content-type']]).toEqual([
      200,
      'dcz',
      'application/json',
    ]);
    expect(headers.vary).toBe('accept-encoding, available-dictionary');
    expect(headers['content-length']).toBe(String(body.length));
    expect(decoded(body, dictionary)).toBe(text.toString());
    expect(body.length).toBeLessThan(text.length * most);
  }
});

test('the coded bytes are a representation of their own: ETag, HEAD, ranges, conditions', async () => {
  const headers = asking(textOf(first, 'index.json'));
  const path = at(second, 'index.json');
  const whole = await server.boot(path, { headers });
  const etag = whole.headers.etag ?? '';
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
  expect(etag).not.toBe((await server.boot(path)).headers.etag);
  const again = await server.boot(path, { headers });
  expect([again.headers.etag, again.body]).toEqual([etag, whole.body]);
  const head = await server.boot(path, { method: 'HEAD', headers });
  expect(head.body.length).toBe(0);
  for (const name of ['etag', 'content-encoding', 'content-length', 'vary'])
    expect([name, head.headers[name]]).toEqual([name, whole.headers[name]]);
  const part = await server.boot(path, { headers: { ...headers, range: 'bytes=5-44' } });
  expect([part.status, part.headers['content-encoding']]).toEqual([206, 'dcz']);
  expect(part.headers['content-range']).toBe(`bytes 5-44/${whole.body.length}`);
  expect(part.body).toEqual(whole.body.subarray(5, 45));
  const status = async (more: Record<string, string>) =>
    (await server.boot(path, { headers: { ...headers, ...more } })).status;
  expect(await status({ 'if-none-match': etag })).toBe(304);
  expect(await status({ 'if-match': `"${second?.digest.slice(7)}"` })).toBe(412);
  const kept = await server.boot(path, { headers: { 'if-none-match': etag } });
  expect([kept.status, kept.headers.vary]).toEqual([200, 'accept-encoding, available-dictionary']);
  const refused = await server.boot(path, { headers: { ...headers, range: 'bytes=99999999-' } });
  expect([refused.status, refused.headers['content-encoding']]).toEqual([416, undefined]);
});

test.each<[string, (old: Buffer) => Record<string, string>]>([
  ['who does not ask', () => ({})],
  ['who takes gzip alone', (old) => asking(old, { 'accept-encoding': 'gzip, *' })],
  ['who refuses it', (old) => asking(old, { 'accept-encoding': 'gzip, DCZ; Q=0.00' })],
  ['who names no dictionary', () => ({ 'accept-encoding': 'dcz' })],
  ['who names one that is none here', () => asking(Buffer.from('{}'))],
  ['who names one that is no sha256', (old) => asking(old, { 'available-dictionary': ':c2hvcnQ=:' })],
  ['who names several', (old) => asking(old, { 'available-dictionary': `${named(old)}, ${named(old)}` })],
])('%s gets the text as it is, and caches are told that others may not', async (_, ask) => {
  for (const file of ['index.json', 'frames.json']) {
    const headers = ask(textOf(first, 'index.json'));
    const answer = await server.boot(at(second, file), { headers });
    expect([answer.status, answer.headers['content-encoding']]).toEqual([200, undefined]);
    expect(answer.body).toEqual(textOf(second, file));
    expect(answer.headers.vary).toBe('accept-encoding, available-dictionary');
  }
});

test('what else an image has is never coded', async () => {
  const headers = asking(textOf(first, 'index.json'));
  for (const file of ['data', 'raw', 'kernel', 'initrd']) {
    const answer = await server.boot(at(second, file), { method: 'HEAD', headers });
    expect([answer.status, answer.headers['content-encoding'], answer.headers.vary]).toEqual([
      200,
      undefined,
      undefined,
    ]);
  }
});

test('an index that is damaged is no dictionary, and makes nobody wait', async () => {
  const one = textOf(first, 'index.json');
  const path = at(second, 'frames.json');
  writeFileSync(join(imageFolder(server.dataDir, first?.digest as never), 'index.json'), one.subarray(1));
  const answer = await server.boot(path, { headers: asking(one) });
  expect([answer.status, answer.headers['content-encoding']]).toEqual([200, undefined]);
  expect(answer.body).toEqual(textOf(second, 'frames.json'));
});
