import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Attempt } from '../../server/core/attempt.ts';
import type { BuildRecord } from '../../server/core/build-ports.ts';
import { hostState } from '../../server/core/host-state.ts';
import { Census } from '../../server/metrics/census.ts';
import { meteredStore } from '../../server/metrics/metered-store.ts';
import { attempt, B, hostWith, macAt, NOW, observation } from '../fixtures/hosts.ts';
import { brokenStore, hostsOf, memoryStore } from '../fixtures/stores.ts';

function counted() {
  const census = new Census();
  const ended: Attempt[] = [];
  const built: BuildRecord[] = [];
  const behind = brokenStore(memoryStore());
  const store = meteredStore(behind, census, {
    attemptEnded: (each) => void ended.push(each),
    buildEnded: (each) => void built.push(each),
  });
  return { census, ended, built, behind, store };
}

const numbered = (n: number) => ({ id: `host-${n}`, macs: [macAt(n)] });
const KINDS = [
  (n: number) => hostWith({ enrolment: numbered(n), observation: null }),
  (n: number) => hostWith({ enrolment: { ...numbered(n), status: 'discovered', assignment: null } }),
  (n: number) => hostWith({ enrolment: numbered(n), observation: observation({ digest: B }) }),
  (n: number) =>
    hostWith({
      enrolment: numbered(n),
      attempt: attempt({ id: `attempt-${n}`, hostId: `host-${n}`, phase: 'staging' }),
    }),
];

test('what is counted is what a look at every host finds, whatever was done', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(5), fc.nat(KINDS.length), fc.boolean()), { maxLength: 30 }),
      async (steps) => {
        const { census, behind, store } = counted();
        for (const [n, kind, fails] of steps) {
          const host = KINDS[kind]?.(n);
          behind.broken = fails;
          const id = `host-${n}`;
          await store
            // A host that comes anew: the records of one are never taken away singly.
            .change({ hosts: [id] }, ({ hosts: [there] }) => ({
              answer: null,
              hosts: host ? [host] : [],
              removed: there ? [id] : [],
            }))
            .catch(() => undefined);
        }
        const looked = new Map<string, number>();
        for (const host of await hostsOf(behind))
          looked.set(hostState(host), (looked.get(hostState(host)) ?? 0) + 1);
        for (const [state, count] of census.counts())
          expect([state, count]).toEqual([state, looked.get(state) ?? 0]);
        behind.close();
      },
    ),
    { numRuns: 40 },
  );
});

test('an attempt that ends is told once, by the change that ended it, and not before it is committed', async () => {
  const { ended, behind, store } = counted();
  const open = hostWith({ attempt: { phase: 'staging' }, observation: null });
  const over = { ...open, attempt: attempt({ outcome: 'failed', reason: 'no', endedAt: NOW }) };
  await store.change({}, () => ({ answer: null, hosts: [open] }));
  expect(ended).toEqual([]);
  const end = () => store.change({ hosts: ['host-1'] }, () => ({ answer: null, hosts: [over] }));
  behind.broken = true;
  await expect(end()).rejects.toThrow();
  expect(ended).toEqual([]);
  behind.broken = false;
  await end();
  await end();
  expect(ended.map(({ id, outcome }) => [id, outcome])).toEqual([['attempt-1', 'failed']]);
});

test('one that makes room for another is told too', async () => {
  const { ended, store } = counted();
  const open = hostWith({ attempt: { phase: 'staging' }, observation: null });
  await store.change({}, () => ({ answer: null, hosts: [open] }));
  await store.change({ hosts: ['host-1'] }, () => ({
    answer: null,
    ended: [attempt({ outcome: 'superseded', endedAt: NOW })],
    hosts: [{ ...open, attempt: attempt({ id: 'attempt-2', phase: 'staging' }) }],
  }));
  expect(ended.map(({ id, outcome }) => [id, outcome])).toEqual([['attempt-1', 'superseded']]);
});

test('builds are told when they end', async () => {
  const { built, store } = counted();
  const build = {
    id: 'b',
    name: 'web',
    tag: 'latest',
    status: 'running',
    digest: null,
    error: null,
    checks: null,
    startedAt: NOW,
    endedAt: null,
  } as const;
  await store.putBuild(build, []);
  await store.putBuild({ ...build, status: 'failed', error: 'no', endedAt: NOW + 1000 }, []);
  const image = { digest: B, kind: 'os', pack: null, chunks: [], uses: [] } as const;
  const tag = { name: 'web', tag: 'latest' };
  await store.commitImage(image, tag, [], {
    ...build,
    id: 'c',
    status: 'succeeded',
    digest: B,
    endedAt: NOW,
  });
  expect(built.map(({ id, status }) => [id, status])).toEqual([
    ['b', 'failed'],
    ['c', 'succeeded'],
  ]);
});
