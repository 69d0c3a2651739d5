import { beforeEach, expect, test } from 'vitest';
import { hostCases } from '../../server/control/hosts.ts';
import type { Store } from '../../server/core/ports.ts';
import type { Report } from '../../server/core/report.ts';
import { A, B, DISK, macAt } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

const MAC = macAt(1);
const CALLER = { tokenHash: null };

let world: Awaited<ReturnType<typeof useCases>>;
let store: Store;
beforeEach(async () => {
  world = await useCases();
  store = world.store;
  await hostCases(world.context).enrol({ name: 'ann' }, { macs: [MAC] });
});

function report(bootId: string, seq: number, facts: Partial<Report> = {}): Report {
  return {
    attempt: null,
    bootId,
    seq,
    kind: 'booted',
    slot: 'a',
    digest: A,
    bootDefault: 'a',
    slots: null,
    disk: DISK,
    readOnly: null,
    trial: false,
    phase: null,
    bytesDone: null,
    bytesTotal: null,
    reason: null,
    log: null,
    ...facts,
  };
}
/** Said slowly, so that no limit for hosts without a token is met. */
async function say(said: Report): Promise<string> {
  world.time.now += 60_000;
  const { verdict } = await world.machines.report(
    MAC,
    said,
    `${said.bootId} ${said.seq} ${said.kind}`,
    CALLER,
  );
  return verdict;
}
const seen = async () => (await store.host({ mac: MAC }))?.observation;

test('what is forgotten stays stale: it moves nothing and wipes nothing, however late it comes', async () => {
  for (const boot of ['old', 'older'] as const)
    for (let seq = 1; seq <= 5; seq += 1) await say(report(boot, seq));
  for (let seq = 1; seq <= 80; seq += 1) await say(report('now', seq, { digest: B, slot: 'b' }));
  expect(await store.log.pruneReports(null, 10)).toBeNull();
  const before = await store.host({ mac: MAC });
  // Again word by word, and in other words; forgotten numbers, kept ones, and ones that never came.
  for (const seq of [1, 3, 4, 6, 99])
    for (const kind of ['booted', 'confirmed', 'failed'] as const) {
      expect(await say(report('old', seq, { kind })), `old ${seq} ${kind}`).toBe('stale');
      expect(await say(report('older', seq, { kind })), `older ${seq} ${kind}`).toBe('stale');
    }
  for (const seq of [1, 16]) expect(await say(report('now', seq, { digest: B, slot: 'b' }))).toBe('stale');
  expect(await say(report('old', 5))).toBe('duplicate');
  expect(await say(report('now', 17, { digest: B, slot: 'b' }))).toBe('duplicate');
  expect(await store.host({ mac: MAC })).toEqual(before);
  expect((await seen())?.seq).toBe(80);
});

test('looks at all hosts, some at a time', async () => {
  await hostCases(world.context).enrol({ name: 'ann' }, { macs: [macAt(2)] });
  await say(report('one', 1));
  await world.machines.report(macAt(2), report('two', 1), 'x', CALLER);
  const first = await store.log.pruneReports(null, 1);
  expect(first).not.toBeNull();
  const second = await store.log.pruneReports(first, 1);
  expect(second).not.toBe(first);
  expect(await store.log.pruneReports(second, 1)).toBeNull();
});
