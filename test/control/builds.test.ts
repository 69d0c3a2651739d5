import { expect, test } from 'vitest';
import { BuildLog } from '../../server/control/build-log.ts';
import { buildCases } from '../../server/control/builds.ts';
import { WarmbootError } from '../../server/core/errors.ts';
import type { Builder, BuildProgress } from '../../server/core/ports.ts';
import { A, NOW } from '../fixtures/hosts.ts';
import { memoryStore } from '../fixtures/stores.ts';

const never = new AbortController().signal;

function builds(builder: Builder) {
  const store = memoryStore();
  const errors: unknown[] = [];
  let ids = 0;
  const cases = buildCases({
    store,
    builder,
    clock: () => NOW,
    newId: () => `b${++ids}`,
    onError: (error) => errors.push(error),
  });
  return { store, errors, cases };
}
async function read(entries: AsyncIterable<BuildProgress>): Promise<string[]> {
  const all: string[] = [];
  for await (const { message } of entries) all.push(message);
  return all;
}
const image = { digest: A, kind: 'os', dataBytes: 0, framesHash: '', pack: null, chunks: [] } as const;

test('a build tells what it does, and leaves an image with its tag', async () => {
  const { cases, store } = builds(async (_, { onProgress }) => {
    onProgress({ phase: 'docker', message: 'one' });
    onProgress({ phase: 'pack', message: 'two' });
    return { kind: 'image', image };
  });
  const { id, status } = await cases.start('debian', 'v1');
  expect(status).toBe('running');
  expect(await read(cases.log(id, never))).toEqual(['one', 'two']);
  expect(await cases.find(id)).toMatchObject({ status: 'succeeded', digest: A, endedAt: NOW });
  expect((await store.image({ kind: 'tag', name: 'debian', tag: 'v1' }))?.digest).toBe(A);
});

test('a Dockerfile that fails is no error of ours; a bug is', async () => {
  const refused = builds(() => Promise.reject(new WarmbootError('unavailable', 'no space')));
  const { id } = await refused.cases.start('debian', 'v1');
  await read(refused.cases.log(id, never));
  expect(await refused.cases.find(id)).toMatchObject({ status: 'failed', error: 'no space', digest: null });
  expect(refused.errors).toEqual([]);
  const broken = builds(() => Promise.reject(new TypeError('x is not a function')));
  await read(broken.cases.log((await broken.cases.start('debian', 'v1')).id, never));
  expect(broken.errors).toHaveLength(1);
});

test('stopping ends what runs and waits for it', async () => {
  const { cases } = builds(
    (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  const { id } = await cases.start('debian', 'v1');
  await cases.stop();
  expect(await cases.find(id)).toMatchObject({ status: 'interrupted' });
});

test.each([
  ['../x', 'latest'],
  ['X', 'latest'],
  ['x', ''],
  ['x', 'a b'],
  ['sha256', 'x'],
])('%s:%s is no name', async (name, tag) => {
  await expect(builds(async () => ({ kind: 'image', image })).cases.start(name, tag)).rejects.toThrow(
    WarmbootError,
  );
});

test('a log is read from its beginning by whoever comes, and left by whoever goes', async () => {
  const log = new BuildLog();
  const say = (message: string) => log.add({ phase: 'x', message });
  say('one');
  const first = read(log.read(never));
  say('two');
  const gone = new AbortController();
  const left = read(log.read(gone.signal));
  await new Promise((resolve) => setImmediate(resolve));
  gone.abort();
  expect(await left).toEqual(['one', 'two']);
  log.end();
  expect(await first).toEqual(['one', 'two']);
  for (let i = 0; i < 6000; i += 1) say(`${i}`);
  const late = await read(log.read(never));
  expect([late.length, late.at(-1)]).toEqual([5000, '5999']);
});
