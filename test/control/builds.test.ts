import { expect, test } from 'vitest';
import { BuildLog } from '../../server/control/build-log.ts';
import { type BuildContext, buildCases } from '../../server/control/builds.ts';
import type { Builder, BuildOrder, ContextSpool } from '../../server/core/build-ports.ts';
import { BuildRefused } from '../../server/core/build-refused.ts';
import { WarmbootError } from '../../server/core/errors.ts';
import type { BuildNews } from '../../server/core/use-cases.ts';
import { A, ALICE, NOW } from '../fixtures/hosts.ts';
import { memoryStore } from '../fixtures/stores.ts';
import { fakeKeeper } from '../fixtures/use-cases.ts';

const NO_CONTEXTS: ContextSpool = {
  find: async () => null,
  put: async () => ({ bytes: 0 }),
  hold: async () => null,
};
const order = (change: Partial<BuildOrder> = {}): BuildOrder => ({
  name: 'debian',
  tag: 'v1',
  source: { kind: 'folder' },
  target: null,
  buildArguments: {},
  secrets: {},
  overrides: {},
  ...change,
});
const never = new AbortController().signal;

function builds(builder: Builder, more: Partial<BuildContext> = {}) {
  const store = memoryStore();
  const errors: unknown[] = [];
  let ids = 0;
  const cases = buildCases({
    store,
    keeper: fakeKeeper(store),
    builder,
    contexts: NO_CONTEXTS,
    recipes: async () => [],
    logs: { read: async function* () {}, keepOnly: async () => {} },
    clock: () => NOW,
    newId: () => `b${++ids}`,
    onError: (error) => errors.push(error),
    ...more,
  });
  return { store, errors, cases };
}
/** @param all that it has told so far */
async function read(entries: AsyncIterable<BuildNews>, all: string[] = []): Promise<string[]> {
  for await (const news of entries)
    all.push('buildsBefore' in news ? `${news.buildsBefore} before` : news.message);
  return all;
}
const draft = { id: 'b1', digest: A, kind: 'os', packBytes: 0, chunks: [] } as const;

test('a build tells what it does, and leaves an image with its tag', async () => {
  const { cases, store } = builds(async (_, { onProgress }) => {
    onProgress({ phase: 'docker', message: 'one' });
    onProgress({ phase: 'pack', message: 'two' });
    return { kind: 'image', draft };
  });
  const { id, status } = await cases.start(ALICE, order());
  expect(status).toBe('running');
  expect(await read(cases.log(id, never))).toEqual(['one', 'two']);
  expect(await cases.find(id)).toMatchObject({ status: 'succeeded', digest: A, endedAt: NOW });
  expect((await store.image({ kind: 'tag', name: 'debian', tag: 'v1' }))?.digest).toBe(A);
});

test('a Dockerfile that fails is no error of ours; a bug is', async () => {
  const refused = builds(() => Promise.reject(new WarmbootError('unavailable', 'no space')));
  const { id } = await refused.cases.start(ALICE, order());
  await read(refused.cases.log(id, never));
  expect(await refused.cases.find(id)).toMatchObject({ status: 'failed', error: 'no space', digest: null });
  expect(refused.errors).toEqual([]);
  const broken = builds(() => Promise.reject(new TypeError('x is not a function')));
  await read(broken.cases.log((await broken.cases.start(ALICE, order())).id, never));
  expect(broken.errors).toHaveLength(1);
});

test('what the checks found is kept, whether the image was accepted or not', async () => {
  const passed = { passed: ['kernel', 'curl'], failed: [] };
  const good = builds(async () => ({ kind: 'image', draft, checks: passed }));
  const first = await good.cases.start(ALICE, order());
  await read(good.cases.log(first.id, never));
  expect((await good.cases.find(first.id)).checks).toEqual(passed);
  const failed = { passed: ['kernel'], failed: [{ check: 'curl', message: 'is missing', line: 'RUN true' }] };
  const bad = builds(() => Promise.reject(new BuildRefused('not accepted', failed)));
  const second = await bad.cases.start(ALICE, order());
  await read(bad.cases.log(second.id, never));
  expect(await bad.cases.find(second.id)).toMatchObject({
    status: 'failed',
    error: 'not accepted',
    checks: failed,
  });
  expect((await bad.cases.list(9))[0]?.checks).toEqual(failed);
});

test('stopping ends what runs and waits for it', async () => {
  const { cases } = builds(
    (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  const { id } = await cases.start(ALICE, order());
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
  await expect(
    builds(async () => ({ kind: 'image', draft })).cases.start(ALICE, order({ name, tag })),
  ).rejects.toThrow(WarmbootError);
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

test('a context must be here before its build begins, and is let go when it has ended', async () => {
  const digest = A;
  const source = { kind: 'context', digest, dockerfile: 'Dockerfile' } as const;
  const none = builds(async () => ({ kind: 'tool', dockerImage: '' }));
  await expect(none.cases.start(ALICE, order({ source }))).rejects.toThrow('There is no context');
  expect(await none.cases.list(10)).toEqual([]);

  const told: string[] = [];
  const hold = async () => ({ path: '/spool/a.tar', release: async () => void told.push('released') });
  const { cases } = builds(
    async ({ contextPath }) => {
      told.push(`built from ${contextPath}`);
      throw new WarmbootError('unavailable', 'no');
    },
    { contexts: { ...NO_CONTEXTS, hold } },
  );
  await read(cases.log((await cases.start(ALICE, order({ source }))).id, never));
  await cases.stop();
  expect(told).toEqual(['built from /spool/a.tar', 'released']);
});

test('a log of a build that has ended comes from where its process wrote it', async () => {
  const written = [{ phase: 'docker', message: 'one' }];
  const logs = {
    read: async function* () {
      yield* written;
    },
    keepOnly: async () => {},
  };
  const { cases, store } = builds(async () => ({ kind: 'image', draft }), { logs });
  const record = {
    id: 'old',
    name: 'x',
    tag: 'y',
    digest: null,
    error: 'gone',
    checks: null,
    startedAt: NOW,
    endedAt: NOW,
  };
  await store.putBuild({ ...record, status: 'interrupted' }, []);
  expect(await read(cases.log('old', never))).toEqual(['one']);
});

test('so many builds are remembered, the newest, in their order', async () => {
  const kept: boolean[] = [];
  const logs = {
    read: async function* () {},
    keepOnly: async (isKept: (id: string) => boolean) => {
      kept.splice(0, kept.length, isKept('old-0'), isKept('old-3'), isKept('b1'));
    },
  };
  const { cases, store } = builds(async () => ({ kind: 'image', draft }), { logs });
  for (let i = 0; i < 102; i += 1) {
    const ended = {
      status: 'failed',
      digest: null,
      error: '',
      checks: null,
      startedAt: NOW,
      endedAt: NOW,
    } as const;
    await store.putBuild({ id: `old-${i}`, name: 'x', tag: 'y', ...ended }, []);
  }
  const { id } = await cases.start(ALICE, order());
  await read(cases.log(id, never));
  await cases.stop();
  expect((await cases.list(1000)).map((build) => build.id)).toEqual([
    ...Array.from({ length: 99 }, (_, i) => `old-${i + 3}`),
    'b1',
  ]);
  expect(kept).toEqual([false, true, true]);
  expect((await cases.list(2)).map((build) => build.id)).toEqual(['old-101', 'b1']);
  await expect(cases.find('old-0')).rejects.toThrow('There is no build');
});

/** A builder whose builds end when the test says so. */
function inHand() {
  const ends = new Map<string, () => void>();
  const builder: Builder = ({ id }, { onProgress, signal }) =>
    new Promise((resolve, reject) => {
      onProgress({ phase: 'docker', message: `${id} begins` });
      ends.set(id, () => resolve({ kind: 'tool', dockerImage: id }));
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  return { builder, running: () => [...ends.keys()], end: (id: string) => ends.get(id)?.() };
}

test('two builds run at once; the others wait in order, and are told how many are before them', async () => {
  const { builder, running, end } = inHand();
  let now = NOW;
  const { cases, store } = builds(builder, { clock: () => now });
  const started = [];
  for (let i = 0; i < 4; i += 1) started.push(await cases.start(ALICE, order()));
  expect(started.map(({ status }) => status)).toEqual(['running', 'running', 'queued', 'queued']);
  const told: string[][] = [[], []];
  const logs = told.map((all, at) => read(cases.log(`b${at + 3}`, never), all));
  await expect.poll(() => told).toEqual([['1 before'], ['2 before']]);
  await expect.poll(running).toEqual(['b1', 'b2']);
  now += 1000;
  end('b2');
  await expect.poll(running).toEqual(['b1', 'b2', 'b3']);
  expect(await cases.find('b3')).toMatchObject({ status: 'running', startedAt: NOW + 1000 });
  expect(await cases.find('b4')).toMatchObject({ status: 'queued', startedAt: NOW });
  for (const id of ['b1', 'b3', 'b4']) {
    await expect.poll(running).toContain(id);
    end(id);
  }
  expect(await Promise.all(logs)).toEqual([
    ['1 before', 'b3 begins'],
    ['2 before', '1 before', 'b4 begins'],
  ]);
  const statuses = async () => (await cases.list(9)).map(({ status }) => status);
  await expect.poll(statuses).toEqual(Array(4).fill('succeeded'));
  const events = (await store.events({ limit: 99 })).map(({ kind, data }) => `${kind} ${data.build}`);
  expect(events.filter((text) => /b4/.test(text))).toEqual([
    'build-queued b4',
    'build-began b4',
    'build-ended b4',
  ]);
  expect(events.filter((text) => /b1/.test(text))).toEqual(['build-began b1', 'build-ended b1']);
});

test('a build that fails makes room as well', async () => {
  const { cases } = builds(() => Promise.reject(new WarmbootError('unavailable', 'no')));
  for (let i = 0; i < 5; i += 1) await cases.start(ALICE, order());
  await expect
    .poll(async () => (await cases.list(9)).map(({ status }) => status))
    .toEqual(Array(5).fill('failed'));
});

test('when the server stops, what waits is interrupted without having begun, and nothing new is taken', async () => {
  const { builder, running } = inHand();
  const { cases } = builds(builder);
  for (let i = 0; i < 3; i += 1) await cases.start(ALICE, order());
  await expect.poll(running).toEqual(['b1', 'b2']);
  await cases.stop();
  expect(running()).toEqual(['b1', 'b2']);
  expect((await cases.list(9)).map(({ status }) => status)).toEqual(Array(3).fill('interrupted'));
  expect((await cases.find('b3')).error).toContain('Start it again');
  await expect(cases.start(ALICE, order())).rejects.toMatchObject({ code: 'unavailable' });
});

test('a build whose record cannot be written lets its context and its place go', async () => {
  const { builder, running } = inHand();
  const told: string[] = [];
  const hold = async () => {
    told.push('held');
    return { path: '/spool/a.tar', release: async () => void told.push('released') };
  };
  const store = memoryStore();
  let isBroken = true;
  const broken: typeof store = {
    ...store,
    putBuild: (...how) => (isBroken ? Promise.reject(new Error('disk I/O error')) : store.putBuild(...how)),
  };
  const { cases } = builds(builder, { store: broken, contexts: { ...NO_CONTEXTS, hold } });
  const source = { kind: 'context', digest: A, dockerfile: 'Dockerfile' } as const;
  for (let i = 0; i < 3; i += 1) await expect(cases.start(ALICE, order({ source }))).rejects.toThrow('I/O');
  expect(told).toEqual(Array(3).fill(['held', 'released']).flat());
  expect(running()).toEqual([]);
  isBroken = false;
  expect((await cases.start(ALICE, order())).status).toBe('running');
  await cases.stop();
});
