import { describe, expect, test } from 'vitest';
import { applyReport } from '../../server/core/apply-report.ts';
import { type Attempt, type AttemptKind, type AttemptPhase, PHASES } from '../../server/core/attempt.ts';
import { nextStep } from '../../server/core/next-step.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { REPORT_KINDS, type Report, type ReportHistory } from '../../server/core/report.ts';
import { A, B, C, hostWith, NOW, reportWith } from '../fixtures/hosts.ts';

const NEW: ReportHistory = { sameNumber: 'none', bootKnown: false, attemptKnown: true };
const KNOWN: ReportHistory = { sameNumber: 'none', bootKnown: true, attemptKnown: true };

/** What each kind of report says when nothing about it is odd: work in boot-1, the jump's end in boot-2. */
const USUAL: Record<Report['kind'], Partial<Report>> = {
  inventory: {},
  progress: { phase: 'write', bytesDone: 1, bytesTotal: 2 },
  installed: { slot: 'a', digest: B },
  booted: { bootId: 'boot-2', slot: 'b', digest: B },
  staged: { slot: 'b', digest: B },
  switching: { slot: 'b', digest: B },
  confirmed: { bootId: 'boot-2', slot: 'b', digest: B, bootDefault: 'b' },
  'rolled-back': { bootId: 'boot-2', slot: 'a', digest: A, reason: 'panic' },
  failed: { phase: 'check', reason: 'bad sector' },
};

function judged(
  facts: Partial<Attempt>,
  report: Partial<Report> & Pick<Report, 'kind'>,
  history?: ReportHistory,
) {
  const full = reportWith({ ...USUAL[report.kind], ...report });
  const host = hostWith({ attempt: facts });
  const told = history ?? (full.bootId === 'boot-1' ? KNOWN : NEW);
  return applyReport(host, full, told, NOW, PATIENCE);
}

/** Where a report takes an attempt of each phase: a phase, an outcome, or `-` for nowhere. */
const MOVES: Record<AttemptKind, Record<Report['kind'], readonly string[]>> = {
  install: {
    //           pending       claimed       writing       installed     confirming
    inventory: ['-', '-', '-', '-', '-'],
    progress: ['writing', 'writing', '-', '-', '-'],
    installed: ['installed', 'installed', 'installed', '-', '-'],
    booted: ['confirming', 'confirming', 'confirming', 'confirming', '-'],
    staged: ['-', '-', '-', '-', '-'],
    switching: ['-', '-', '-', '-', '-'],
    confirmed: ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'succeeded'],
    'rolled-back': ['rolled-back', 'rolled-back', 'rolled-back', 'rolled-back', 'rolled-back'],
    failed: ['failed', 'failed', 'failed', 'failed', 'failed'],
  },
  switch: {
    //           pending       staging       staged        switching     confirming
    inventory: ['-', '-', '-', '-', '-'],
    progress: ['staging', '-', '-', '-', '-'],
    installed: ['-', '-', '-', '-', '-'],
    booted: ['confirming', 'confirming', 'confirming', 'confirming', '-'],
    staged: ['staged', 'staged', '-', '-', '-'],
    switching: ['switching', 'switching', 'switching', '-', '-'],
    confirmed: ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'succeeded'],
    'rolled-back': ['rolled-back', 'rolled-back', 'rolled-back', 'rolled-back', 'rolled-back'],
    failed: ['failed', 'failed', 'failed', 'failed', 'failed'],
  },
};

const CASES = (['install', 'switch'] as const).flatMap((attemptKind) =>
  REPORT_KINDS.flatMap((kind) =>
    PHASES[attemptKind].map((phase: AttemptPhase, index) => ({
      attemptKind,
      kind,
      phase,
      expected: MOVES[attemptKind][kind][index] ?? '?',
    })),
  ),
);

test.each(CASES)('$attemptKind in $phase, $kind: $expected', ({ attemptKind, kind, phase, expected }) => {
  const { host, verdict } = judged({ kind: attemptKind, phase }, { kind });
  expect(verdict).toBe('applied');
  expect(host.observation?.seq).toBe(2);
  const after = host.attempt;
  if (expected === '-') expect(after).toMatchObject({ phase, outcome: null, endedAt: null });
  else if (['succeeded', 'failed', 'rolled-back'].includes(expected))
    expect(after).toMatchObject({ phase, outcome: expected, endedAt: NOW, deadline: null });
  else expect(after).toMatchObject({ phase: expected, outcome: null, phaseAt: NOW });
});

describe('what a report may not claim', () => {
  test.each<[string, Partial<Report> & Pick<Report, 'kind'>, string]>([
    ['booted in the boot that worked on it', { kind: 'booted', bootId: 'boot-1' }, 'has not jumped'],
    ['confirmed in the boot that worked on it', { kind: 'confirmed', bootId: 'boot-1' }, 'has not jumped'],
    ['another image booted', { kind: 'booted', digest: A }, 'another image'],
    ['another image confirmed', { kind: 'confirmed', digest: C }, 'does not run'],
    ['no image at all confirmed', { kind: 'confirmed', digest: null }, 'does not run'],
    ['confirmed before the default moved', { kind: 'confirmed', bootDefault: 'a' }, 'boot default'],
    ['rolled back to the very image', { kind: 'rolled-back', digest: B }, 'runs'],
    ['another image was staged', { kind: 'staged', digest: C }, 'another image'],
    ['another image was staged: none named', { kind: 'staged', digest: null }, 'another image'],
  ])('%s', (_, report, why) => {
    const { host, verdict, why: said } = judged({ phase: 'staging' }, report);
    expect(verdict).toBe('applied');
    expect(said).toContain(why);
    expect(host.attempt).toMatchObject({ phase: 'staging', outcome: null, deadline: null });
  });

  test('another image was installed', () => {
    const { host } = judged({ kind: 'install', phase: 'writing' }, { kind: 'installed', digest: C });
    expect(host.attempt).toMatchObject({ phase: 'writing', outcome: null });
  });
});

describe('repetitions and lateness', () => {
  const work = { kind: 'staged' } as const;

  test('the same number with the same body is a duplicate and changes nothing, not even the observation', () => {
    const before = hostWith({ attempt: {} });
    const history = { sameNumber: 'same', bootKnown: true, attemptKnown: true } as const;
    const { host, verdict } = applyReport(before, reportWith(work), history, NOW, PATIENCE);
    expect(verdict).toBe('duplicate');
    expect(host).toBe(before);
  });

  test.each<[string, Partial<Report>, ReportHistory, string]>([
    [
      'the same number with another body',
      {},
      { sameNumber: 'other', bootKnown: true, attemptKnown: true },
      'contradicts',
    ],
    ['a lower number of this boot', { seq: 1 }, KNOWN, 'taken already'],
    ['an earlier boot', { bootId: 'boot-0', seq: 9 }, KNOWN, 'earlier boot'],
  ])('%s is stale and changes nothing', (_, facts, history, why) => {
    const before = hostWith({ attempt: {} });
    const report = reportWith({ ...USUAL.failed, ...facts, kind: 'failed' });
    const judgement = applyReport(before, report, history, NOW, PATIENCE);
    expect(judgement.verdict).toBe('stale');
    expect(judgement.host).toBe(before);
    expect(judgement.why).toContain(why);
  });

  test.each(['succeeded', 'failed', 'rolled-back', 'superseded'] as const)(
    'no report moves an attempt that ended as %s',
    (outcome) => {
      for (const kind of REPORT_KINDS) {
        const ended = { outcome, endedAt: NOW - 1, phase: 'switching' } as const;
        const { host, verdict } = judged(ended, { kind });
        expect(host.attempt).toMatchObject(ended);
        expect(verdict).toBe(kind === 'booted' || kind === 'inventory' ? 'applied' : 'stale');
      }
    },
  );

  test.each(REPORT_KINDS)(
    '%s of another attempt leaves the open one as it is, unless the image runs',
    (kind) => {
      const { host } = judged({ phase: 'staging', digest: C }, { kind, attempt: 'attempt-0' });
      expect(host.attempt).toMatchObject({ phase: 'staging', outcome: null });
    },
  );

  test('a trial that began for a superseded attempt is still seen', () => {
    const report = { kind: 'booted', attempt: 'attempt-0', trial: true } as const;
    const { host, verdict } = judged({ digest: C }, report);
    expect(verdict).toBe('applied');
    expect(host.observation).toMatchObject({ bootId: 'boot-2', digest: B, trial: true });
    expect(host.attempt).toMatchObject({ phase: 'pending', outcome: null });
  });
});

describe('the power went before the jump', () => {
  const jumping = { phase: 'switching', workBootId: 'boot-1', deadline: NOW + 9 } as const;

  test('the machine says that the slot is as it was: it is asked to jump again, however long that takes', () => {
    const slots = { a: { state: 'modified', digest: A }, b: { state: 'valid', digest: B } } as const;
    const { host, verdict, why } = judged(jumping, {
      kind: 'staged',
      digest: B,
      slot: 'b',
      bootId: 'boot-2',
      slots,
    });
    expect([verdict, why]).toEqual([
      'applied',
      'the machine was restarted before it had jumped, and is to jump again',
    ]);
    expect(host.attempt).toMatchObject({
      phase: 'staged',
      phaseAt: NOW,
      deadline: null,
      workBootId: 'boot-2',
      outcome: null,
    });
    const booted = reportWith({
      kind: 'booted',
      attempt: null,
      digest: A,
      slot: 'a',
      bootId: 'boot-2',
      seq: 9,
      slots,
    });
    const after = applyReport(host, booted, KNOWN, NOW, PATIENCE).host;
    expect(nextStep(after, 2)).toMatchObject({ action: 'switch', slot: 'b', digest: B });
  });

  test('the boot that is about to jump says nothing with it, nor does a trial, nor who speaks of another image', () => {
    for (const [facts, said] of [
      [{}, { bootId: 'boot-1' }],
      [{ phase: 'confirming' }, {}],
      [{}, { digest: C }],
    ] as const) {
      const word = { kind: 'staged', ...{ digest: B, bootId: 'boot-2' }, ...said } as const;
      const { host } = judged({ ...jumping, ...facts }, word);
      expect(host.attempt?.phase).toBe(facts.phase ?? 'switching');
    }
  });
});

describe('the image runs, whatever brought it there', () => {
  test.each([null, 'attempt-0'])('reported for attempt %s it ends the open one', (id) => {
    const { host } = judged({ phase: 'switching' }, { kind: 'booted', attempt: id });
    expect(host.attempt).toMatchObject({ outcome: 'succeeded', digest: B });
  });
  test('but not on trial, not in the boot that worked on it, not for an order of fresh bytes', () => {
    const open = (facts: Partial<Attempt>, report: Partial<Report>) =>
      judged(facts, { kind: 'booted', attempt: null, ...report }).host.attempt?.outcome;
    expect(open({}, { trial: true })).toBeNull();
    expect(open({}, { bootId: 'boot-1' })).toBeNull();
    expect(open({ fresh: true }, {})).toBeNull();
  });
});

describe('an install of a machine that has two disks', () => {
  const installed = (report: Partial<Report>) => {
    const { host } = judged({ kind: 'install', phase: 'writing' }, { kind: 'installed', disk: 'new' });
    const full = reportWith({
      ...USUAL[report.kind ?? 'booted'],
      kind: 'booted',
      bootId: 'boot-2',
      ...report,
    });
    return applyReport(host, full, NEW, NOW, PATIENCE).host;
  };

  test.each([
    { kind: 'booted', attempt: null },
    { kind: 'booted', attempt: null, digest: A },
    { kind: 'booted' },
    { kind: 'confirmed' },
  ] as const)('is not proved by the disk that it has left: %j', (report) => {
    const { attempt, observation } = installed({ ...report, disk: 'old' });
    expect(attempt).toMatchObject({
      outcome: 'failed',
      reason: expect.stringMatching('another disk than the one'),
    });
    expect(observation?.disk).toBe('old');
  });

  test.each(['new', null])('and is by the new one, and by an agent that names none: %s', (disk) => {
    expect(installed({ kind: 'confirmed', disk }).attempt?.outcome).toBe('succeeded');
  });

  test('what the disk says that is being written, or not heard of yet, ends nothing', () => {
    const { host } = judged(
      { kind: 'install', phase: 'writing' },
      { kind: 'booted', attempt: null, digest: A, disk: 'old' },
    );
    expect(host.attempt?.outcome).toBeNull();
  });
});

describe('deadlines and progress', () => {
  test('every word of progress gives more time, and is never more than the whole', () => {
    const { host } = judged({ phase: 'staging' }, { kind: 'progress', bytesDone: 9, bytesTotal: 4 });
    expect(host.attempt?.progress).toEqual({ phase: 'write', bytesDone: 4, bytesTotal: 4 });
    expect(host.attempt?.deadline).toBe(NOW + PATIENCE.writeMs);
    expect(host.attempt?.workBootId).toBe('boot-1');
  });
  test('after the jump the patience is that of a firmware', () => {
    const { host } = judged({ phase: 'staged' }, { kind: 'switching' });
    expect(host.attempt?.deadline).toBe(NOW + PATIENCE.jumpMs);
  });
  test('progress that came late does not put the attempt off', () => {
    const { host } = judged({ phase: 'switching', deadline: NOW + 1 }, { kind: 'progress' });
    expect(host.attempt?.deadline).toBe(NOW + 1);
  });
  test('a failure without words still has a reason', () => {
    const { host } = judged({}, { kind: 'failed', phase: null, reason: null });
    expect(host.attempt?.reason).toBe('the host gave no reason');
  });
});
