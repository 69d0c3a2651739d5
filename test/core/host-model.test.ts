import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Attempt, PHASES } from '../../server/core/attempt.ts';
import type { Host } from '../../server/core/host.ts';
import { HOST_STATES, hostState } from '../../server/core/host-state.ts';
import { nextStep } from '../../server/core/next-step.ts';
import { REPORT_KINDS, type Report } from '../../server/core/report.ts';
import { DISK, digestOf } from '../fixtures/hosts.ts';
import { SimulatedHost } from '../fixtures/simulated-fleet.ts';

/** Whatever operators, machines, networks and clocks do in whatever order, some things never happen. */

type Said = Partial<Report> & Pick<Report, 'kind'>;
type Action =
  | { readonly do: 'put'; readonly image: string; readonly fresh: boolean }
  | { readonly do: 'reinstall'; readonly image: string; readonly wipe: boolean }
  | { readonly do: 'claim' }
  | { readonly do: 'tick'; readonly ms: number }
  /** The report sent that many reports ago, byte for byte. */
  | { readonly do: 'repeat'; readonly back: number }
  | {
      readonly do: 'report';
      readonly report: Said;
      readonly attemptsAgo: number | null;
    };

const image = fc.constantFrom('a', 'b', 'c');
const slot = fc.constantFrom('a', 'b');
const state = fc.constantFrom('empty', 'invalid', 'valid', 'modified');
const slotSeen = fc.record({ state, digest: fc.option(image.map(digestOf)) });
const report = fc.record({
  kind: fc.constantFrom(...REPORT_KINDS),
  bootId: fc.constantFrom('boot-1', 'boot-2', 'boot-3', 'boot-4'),
  seq: fc.integer({ min: 1, max: 6 }),
  slot: fc.option(slot),
  digest: fc.option(image.map(digestOf), { freq: 5 }),
  bootDefault: fc.option(slot),
  slots: fc.option(fc.record({ a: slotSeen, b: slotSeen })),
  disk: fc.option(fc.constant(DISK), { freq: 5 }),
  trial: fc.boolean(),
});
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('put'), image, fresh: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reinstall'), image, wipe: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('claim') }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('tick'), ms: fc.constantFrom(1000, 200_000, 4_000_000) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat'), back: fc.nat(4) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('report'),
      report,
      attemptsAgo: fc.constantFrom(0, 0, 0, 0, 1, 2, null),
    }),
  },
) as fc.Arbitrary<Action>;

function perform(machine: SimulatedHost, sent: Said[], step: Action): void {
  switch (step.do) {
    case 'put':
      return void machine.put(step.image, step.fresh);
    case 'reinstall':
      return void machine.reinstall(step.image, step.wipe);
    case 'claim':
      return void machine.claim('token');
    case 'tick':
      return void machine.tick(step.ms);
    case 'repeat': {
      const again = sent.at(-1 - step.back);
      if (!again) return;
      const before = machine.host;
      expect(machine.report(again)).toBe('duplicate');
      expect(machine.host).toBe(before);
      return;
    }
    case 'report': {
      const ids = [...machine.attempts.keys()];
      const attempt = step.attemptsAgo === null ? null : (ids.at(-1 - step.attemptsAgo) ?? null);
      const full = { ...step.report, attempt };
      const before = machine.host;
      const verdict = machine.report(full);
      if (verdict === 'applied') sent.push(full);
      if (verdict !== 'applied') expect(machine.host.attempt).toBe(before.attempt);
      checkReported(before, machine.host, full);
      return;
    }
  }
}

function checkReported(before: Host, after: Host, said: Said): void {
  if (after.attempt?.outcome === 'succeeded' && before.attempt?.outcome !== 'succeeded') {
    expect(said.digest).toBe(after.attempt.digest);
    expect(said.bootId).not.toBe(before.attempt?.workBootId);
    expect(['booted', 'confirmed']).toContain(said.kind);
  }
  // A word about one attempt ends no other, but by showing that its image runs.
  if (said.attempt !== before.attempt?.id && after.attempt?.outcome !== before.attempt?.outcome)
    expect(after.attempt?.outcome).toBe('succeeded');
}

function checkAlways(machine: SimulatedHost, before: Host, past: ReadonlyMap<string, Attempt>): void {
  const { host } = machine;
  const open = [...machine.attempts.values()].filter(({ outcome }) => outcome === null);
  expect(open.length).toBeLessThanOrEqual(1);
  if (open[0]) expect(host.attempt).toBe(open[0]);
  for (const [id, was] of past) {
    const is = machine.attempts.get(id);
    if (was.outcome !== null) expect(is).toEqual(was);
    if (!is) throw new Error('an attempt is gone');
    const order: readonly string[] = PHASES[is.kind];
    const isAskedAnew =
      was.phase === 'switching' && is.phase === 'staged' && is.workBootId !== was.workBootId;
    if (!isAskedAnew) expect(order.indexOf(is.phase)).toBeGreaterThanOrEqual(order.indexOf(was.phase));
    expect([is.digest, is.kind, is.wipe, is.fresh]).toEqual([was.digest, was.kind, was.wipe, was.fresh]);
  }
  for (const { id, wipe, outcome, endedAt, deadline } of machine.attempts.values()) {
    if (wipe) expect(machine.mayWipe.has(id)).toBe(true);
    expect(outcome === null).toBe(endedAt === null);
    if (outcome !== null) expect(deadline).toBeNull();
  }

  const step = nextStep(host, 2);
  expect(nextStep(structuredClone(host), 2)).toEqual(step);
  if (step.action === 'stage') {
    expect(step.slot).not.toBe(host.observation?.slot);
    expect(step.slot).not.toBe(host.observation?.bootDefault);
    // A trial is a thing of the OS: an installer that claims one contradicts itself.
    expect(host.observation?.environment === 'os' && host.observation.trial).toBe(false);
  }
  if (step.action === 'switch') {
    expect(step.slot).not.toBe(host.observation?.slot);
    expect(host.observation?.slots[step.slot ?? '']?.digest).toBe(step.digest);
  }
  if (['install', 'stage', 'switch'].includes(step.action)) expect(step.attempt?.digest).toBe(step.digest);
  if (step.action === 'install') expect(step.attempt?.kind).toBe('install');
  expect(HOST_STATES).toContain(hostState(host));

  expect(host.enrolment.serial).toBeGreaterThanOrEqual(before.enrolment.serial);
  const { serial: _, ...was } = { ...meaning(before), serial: 0 };
  const { serial: __, ...is } = { ...meaning(host), serial: 0 };
  if (JSON.stringify(was) !== JSON.stringify(is))
    expect(host.enrolment.serial).toBeGreaterThan(before.enrolment.serial);
}

/** What a machine would be told, without the number of the telling. */
function meaning(host: Host) {
  const { attempt, ...step } = nextStep(host, 2);
  return { ...step, attempt: attempt?.id, wipe: attempt?.wipe, disk: host.observation?.disk ?? null };
}

test('no order of events breaks the laws of a host', () => {
  fc.assert(
    fc.property(fc.boolean(), fc.array(action, { maxLength: 40 }), (wipe, actions) => {
      const machine = new SimulatedHost(wipe);
      const sent: Said[] = [];
      for (const step of actions) {
        const before = machine.host;
        const past = new Map(machine.attempts);
        perform(machine, sent, step);
        checkAlways(machine, before, past);
      }
    }),
    { numRuns: 1000, seed: 20_261_123 },
  );
});

test('a machine that does as it is told gets there, wherever it was interrupted', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 15 }), image, (actions, wanted) => {
      const machine = new SimulatedHost();
      const sent: Said[] = [];
      for (const step of actions) perform(machine, sent, step);
      // The operator's last word, and a machine that comes up anew and tells all it knows.
      const running = wanted === 'a' ? 'b' : 'a';
      const slots = {
        a: { state: 'modified', digest: digestOf(running) },
        b: { state: 'empty', digest: null },
      } as const;
      const up = {
        bootId: 'up',
        slot: 'a',
        digest: digestOf(running),
        bootDefault: 'a',
        slots,
        disk: DISK,
      } as const;
      machine.report({ kind: 'booted', seq: 1, attempt: null, ...up });
      const { began } = machine.put(wanted, true);
      if (!began || nextStep(machine.host, 2).action === 'install') return;
      expect(nextStep(machine.host, 2)).toMatchObject({
        action: 'stage',
        slot: 'b',
        digest: digestOf(wanted),
      });
      machine.report({ kind: 'staged', bootId: 'up', seq: 2, slot: 'b', digest: digestOf(wanted) });
      expect(nextStep(machine.host, 2)).toMatchObject({ action: 'switch', slot: 'b' });
      const there = { bootId: 'there', slot: 'b', digest: digestOf(wanted), bootDefault: 'b' } as const;
      machine.report({ kind: 'booted', seq: 1, trial: true, ...there, bootDefault: 'a' });
      machine.report({ kind: 'confirmed', seq: 2, ...there });
      expect(machine.attempt?.outcome).toBe('succeeded');
      expect(nextStep(machine.host, 2).action).toBe('none');
    }),
    { numRuns: 300, seed: 20_261_124 },
  );
});
