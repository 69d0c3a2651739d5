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
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import { contextSpool, type SpoolOptions } from '../../server/blobs/context-spool.ts';
import type { Digest } from '../../server/core/digest.ts';
import { beforeRemoval, diskCalls, removed } from '../fixtures/disk-calls.ts';

vi.mock('node:fs/promises', async (original) =>
  (await import('../fixtures/disk-calls.ts')).noting(original as never),
);

const root = mkdtempSync(join(tmpdir(), 'warmboot-spool-'));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;

const HOUR = 3_600_000;

async function spool(dataDir = join(root, `${++folders}`), more: Partial<SpoolOptions> = {}) {
  const opened = await contextSpool({ dataDir, maxBytes: 100, maxTotalBytes: 300, reserveBytes: 0, ...more });
  onTestFinished(opened.close);
  return { ...opened, dataDir, folder: join(dataDir, 'contexts') };
}
const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
/** As if it had been used so long ago. */
function age(folder: string, text: string, ms: number): void {
  const then = new Date(Date.now() - ms);
  utimesSync(fileOf(folder, text), then, then);
}
const fileOf = (folder: string, text: string) => join(folder, `${digestOf(text).slice(7)}.tar`);
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
  age(first.folder, 'old', 2 * HOUR);
  await spool(first.dataDir);
  expect(readdirSync(first.folder)).toEqual([`${digestOf('new').slice(7)}.tar`]);
  // Used again a moment ago, it is not old.
  await first.put(digestOf('old'), parts('old'), null);
  age(first.folder, 'old', 2 * HOUR);
  await (await first.hold(digestOf('old')))?.release();
  await spool(first.dataDir);
  expect(existsSync(fileOf(first.folder, 'old'))).toBe(true);
});

test('a context has its name only when all of it is on the disk, whatever power cut comes', async () => {
  const { put } = await spool();
  diskCalls.length = 0;
  await put(digestOf('ab'), parts('a', 'b'), 2);
  const name = `${digestOf('ab').slice(7)}.tar`;
  expect(diskCalls).toEqual([expect.stringMatching(/^sync .+\.part$/), `rename ${name}`, 'sync contexts']);
});

test.each(['hold', 'find'] as const)(
  'a sweep takes nothing that it was answered is here: %s',
  async (ask) => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    removed.length = 0;
    const spooled = await spool();
    await spooled.put(digestOf('old'), parts('old'), null);
    age(spooled.folder, 'old', 2 * HOUR);
    let asked: Promise<unknown> = Promise.resolve(null);
    beforeRemoval.run = async () => {
      asked = spooled[ask](digestOf('old'));
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    onTestFinished(() => {
      beforeRemoval.run = null;
    });
    vi.advanceTimersByTime(600_000);
    await expect.poll(() => removed).toContain(`${digestOf('old').slice(7)}.tar`);
    expect(existsSync(fileOf(spooled.folder, 'old'))).toBe((await asked) !== null);
  },
);

const text = (name: string) => name.repeat(100);

test('the longest unused that no build holds make room for a new one', async () => {
  const { put, hold, folder } = await spool();
  for (const [name, minutes] of [
    ['a', 30],
    ['b', 20],
    ['c', 10],
  ] as const) {
    await put(digestOf(text(name)), parts(text(name)), 100);
    age(folder, text(name), minutes * 60_000);
  }
  await hold(digestOf(text('a')));
  await put(digestOf(text('d')), parts(text('d')), 100);
  const isHere = (name: string) => existsSync(fileOf(folder, text(name)));
  expect(['a', 'b', 'c', 'd'].map(isHere)).toEqual([true, false, true, true]);
  // Nobody announced how long this one is.
  await put(digestOf(text('e')), parts('e', text('e').slice(1)), null);
  expect(['a', 'c', 'd', 'e'].map(isHere)).toEqual([true, false, true, true]);
});

test('where builds hold what is here, or it was asked for just now, a new one is refused and nothing goes', async () => {
  const { put, hold, folder } = await spool();
  for (const name of ['a', 'b', 'c']) await put(digestOf(text(name)), parts(text(name)), 100);
  age(folder, text('a'), HOUR / 2);
  const held = await hold(digestOf(text('a')));
  age(folder, text('a'), HOUR / 2);
  const refused = { code: 'unavailable', message: expect.stringContaining('when a build has ended') };
  await expect(put(digestOf(text('d')), parts(text('d')), 100)).rejects.toMatchObject(refused);
  await expect(put(digestOf(text('d')), parts(text('d')), null)).rejects.toMatchObject(refused);
  expect(readdirSync(folder)).toHaveLength(3);
  await held?.release();
  age(folder, text('a'), HOUR / 2);
  await put(digestOf(text('d')), parts(text('d')), 100);
  expect(existsSync(fileOf(folder, text('a')))).toBe(false);
});

test('contexts that come at the same time share the room', async () => {
  const { put } = await spool();
  const sent = ['a', 'b', 'c', 'd'].map((name) => put(digestOf(text(name)), parts(text(name)), 100));
  const answers = await Promise.allSettled(sent);
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
});

test('the disk keeps its reserve: old contexts go, and what does not fit then is refused', async () => {
  let free = 220;
  const freeBytes = async (folder: string) => {
    const stored = readdirSync(folder).filter((name) => name.endsWith('.tar'));
    return free - 100 * stored.length;
  };
  const { put, folder } = await spool(undefined, { reserveBytes: 50, freeBytes });
  await put(digestOf(text('a')), parts(text('a')), 100);
  age(folder, text('a'), HOUR / 2);
  await put(digestOf(text('b')), parts(text('b')), 100);
  expect(readdirSync(folder)).toEqual([`${digestOf(text('b')).slice(7)}.tar`]);
  age(folder, text('b'), HOUR / 2);
  free = 120;
  await expect(put(digestOf(text('c')), parts(text('c')), 100)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('Remove images'),
  });
  expect(readdirSync(folder)).toHaveLength(1);
});
