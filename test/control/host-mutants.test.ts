import { afterEach, expect, test, vi } from 'vitest';
import type { Judgement } from '../../server/core/apply-report.ts';
import type { Assigned, Order } from '../../server/core/assign.ts';
import type { begin, OpenAttempt } from '../../server/core/attempt.ts';
import type { AttemptFacts, AttemptTrigger } from '../../server/core/attempt-moves.ts';
import type { Host } from '../../server/core/host.ts';
import type { MovedAttempt } from '../../server/core/move-attempt.ts';
import type { NextStep } from '../../server/core/next-step.ts';
import { REPORT_ORDER } from '../../server/core/observation-moves.ts';
import type { Report } from '../../server/core/report.ts';
import { playModel } from '../fixtures/host-model.ts';
import { wrong } from '../fixtures/mutants.ts';

/** Each invariant of the model is broken once on purpose: what decides is replaced by something that decides wrongly. */

vi.mock('../../server/core/apply-report.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);
vi.mock('../../server/core/assign.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);
vi.mock('../../server/core/attempt.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);
vi.mock('../../server/core/move-attempt.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);
vi.mock('../../server/core/next-step.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);
vi.mock('../../server/core/observation-moves.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);
vi.mock('../../server/core/serial.ts', async (original) =>
  (await import('../fixtures/mutants.ts')).mutable(await original()),
);

afterEach(() => wrong.clear());

type Apply = (host: Host, report: Report, ...more: unknown[]) => Judgement;
type Move = (
  attempt: OpenAttempt,
  on: AttemptTrigger,
  facts: AttemptFacts,
  ...more: unknown[]
) => MovedAttempt;
type Next = (host: Host, slots: number) => NextStep;
type Begin = typeof begin;
type Start = (host: Host, order: Order, reinstall?: { wipe: boolean }) => Assigned;
type Mutant = (real: never, ...args: never[]) => unknown;

const MUTANTS: readonly [string, string, string, Mutant][] = [
  [
    'confirmed only with that digest',
    'confirmed is believed of any image',
    'moveAttempt',
    ((real: Move, attempt: OpenAttempt, on: AttemptTrigger, facts: AttemptFacts, ...more: unknown[]) =>
      on === 'confirmed' && facts.report
        ? real(
            attempt,
            on,
            { ...facts, observation: null, report: { ...facts.report, digest: attempt.digest } },
            ...more,
          )
        : real(attempt, on, facts, ...more)) as Mutant,
  ],
  [
    'confirmed only with a new boot id',
    'the boot that wrote the slot may confirm it',
    'moveAttempt',
    ((real: Move, attempt: OpenAttempt, on: AttemptTrigger, facts: AttemptFacts, ...more: unknown[]) =>
      on === 'confirmed'
        ? real({ ...attempt, workBootId: null }, on, { ...facts, observation: null }, ...more)
        : real(attempt, on, facts, ...more)) as Mutant,
  ],
  [
    'an attempt ends exactly once|a stale report never moves|a repeated report changes nothing',
    'a late word ends an attempt that has ended once more',
    'applyReport',
    ((real: Apply, host: Host, report: Report, ...more: unknown[]) => {
      const judged = real(host, report, ...more);
      const { attempt } = host;
      if (!attempt?.outcome || attempt.outcome === 'succeeded' || report.attempt !== attempt.id)
        return judged;
      return {
        ...judged,
        verdict: 'applied',
        host: { ...judged.host, attempt: { ...attempt, reason: 'once more' } },
      };
    }) as Mutant,
  ],
  [
    'a stale report never moves a newer attempt',
    'whatever attempt a report names, it moves the open one',
    'applyReport',
    ((real: Apply, host: Host, report: Report, ...more: unknown[]) =>
      real(host, { ...report, attempt: host.attempt?.id ?? null }, ...more)) as Mutant,
  ],
  [
    'a repeated report changes nothing|a stale report never moves',
    'reports of earlier boots and lower numbers are taken',
    'reportOrder',
    ((_: unknown) => REPORT_ORDER.at(-1)) as Mutant,
  ],
  [
    'never wiped without an explicit order',
    'another image is always installed, never staged',
    'begin',
    ((real: Begin, facts: Parameters<Begin>[0], now: number) =>
      real({ ...facts, kind: 'install' }, now)) as Mutant,
  ],
  [
    'never wiped without an explicit order',
    'every install may wipe',
    'start',
    ((real: Start, host: Host, order: Order, reinstall?: { wipe: boolean }) => {
      const started = real(host, order, reinstall);
      const attempt = started.host.attempt && { ...started.host.attempt, wipe: true };
      return { ...started, host: { ...started.host, attempt } };
    }) as Mutant,
  ],
  [
    'never two slots active',
    'the slot that runs is staged onto',
    'nextStep',
    ((real: Next, host: Host, slots: number) => {
      const step = real(host, slots);
      return step.action === 'stage' ? { ...step, slot: host.observation?.slot ?? 'a' } : step;
    }) as Mutant,
  ],
  [
    'at most one attempt is open|UNIQUE constraint failed',
    'a new order leaves the one before open',
    'supersede',
    ((_: unknown, attempt: OpenAttempt) => attempt) as Mutant,
  ],
  [
    'the serial rises with what is told',
    'the serial stays where it is',
    'withSerial',
    ((_: unknown, _before: Host | null, after: Host) => after) as Mutant,
  ],
];

test.each(MUTANTS)('%s: noticed when %s', async (invariant, _, name, mutant) => {
  wrong.set(name, mutant as never);
  await expect(playModel(150, 20_261_126, false)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(new RegExp(invariant)) },
  });
});

test('without a mutant the same model holds', async () => {
  await playModel(20, 20_261_126, false);
});
