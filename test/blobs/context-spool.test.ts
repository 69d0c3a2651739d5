import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { contextSpool } from '../../server/blobs/context-spool.ts';
import type { Digest } from '../../server/core/digest.ts';

const root = mkdtempSync(join(tmpdir(), 'warmboot-spool-'));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;

async function spool(dataDir = join(root, `${++folders}`), maxBytes = 100) {
  const opened = await contextSpool({ dataDir, maxBytes });
  onTestFinished(opened.close);
  return { ...opened, dataDir, folder: join(dataDir, 'contexts') };
}
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
async function* parts(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text);
}

test('a context is kept under its hash, and not read a second time', async () => {
  const { put, find, hold } = await spool();
  expect(await find(digestOf('ab'))).toBeNull();
  expect(await hold(digestOf('ab'))).toBeNull();
  expect(await put(digestOf('ab'), parts('a', 'b'), 2)).toEqual({ bytes: 2 });
  const unread = (async function* () {
    yield await Promise.reject(new Error('it was read'));
  })();
  expect(await put(digestOf('ab'), unread, null)).toEqual({ bytes: 2 });
  const held = await hold(digestOf('ab'));
  expect(readFileSync(held?.path ?? '', 'utf8')).toBe('ab');
});

test.each<[string, string, () => AsyncIterable<Uint8Array>, number | null, string]>([
  ['another content', digestOf('ab'), () => parts('a'), 1, 'another sha256'],
  ['too large, as announced', digestOf('ab'), () => parts('ab'), 101, 'larger than the 0 MiB'],
  [
    'too large, unannounced',
    digestOf('x'.repeat(101)),
    () => parts('x'.repeat(60), 'x'.repeat(41)),
    null,
    'WARMBOOT_MAX_CONTEXT',
  ],
  [
    'a connection that breaks',
    digestOf('ab'),
    async function* () {
      yield Buffer.from('a');
      throw new Error('broken off');
    },
    null,
    'broken off',
  ],
])('%s is refused, and nothing of it stays', async (_, digest, content, announced, sentence) => {
  const { put, folder } = await spool();
  await expect(put(digest as Digest, content(), announced)).rejects.toThrow(sentence);
  expect(readdirSync(folder)).toEqual([]);
});

test('at the start what is old or unfinished goes; what a build uses stays', async () => {
  const first = await spool();
  await first.put(digestOf('old'), parts('old'), null);
  await first.put(digestOf('new'), parts('new'), null);
  writeFileSync(join(first.folder, 'x.part'), '');
  const longAgo = new Date(Date.now() - 2 * 3_600_000);
  const path = join(first.folder, `${digestOf('old').slice(7)}.tar`);
  utimesSync(path, longAgo, longAgo);
  await spool(first.dataDir);
  expect(readdirSync(first.folder)).toEqual([`${digestOf('new').slice(7)}.tar`]);
  // Used again a moment ago, it is not old.
  await first.put(digestOf('old'), parts('old'), null);
  utimesSync(path, longAgo, longAgo);
  await (await first.hold(digestOf('old')))?.release();
  await spool(first.dataDir);
  expect(existsSync(path)).toBe(true);
});
