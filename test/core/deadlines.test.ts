import { expect, test } from 'vitest';
import { applyReport } from '../../server/core/apply-report.ts';
import { expire } from '../../server/core/deadlines.ts';
import { deadlineAfter, PATIENCE, patienceWith } from '../../server/core/patience.ts';
import { B, claimWith, hostWith, NOW, reportWith } from '../fixtures/hosts.ts';

test.each([
  ['pending', null],
  ['claimed', PATIENCE.claimMs],
  ['writing', PATIENCE.writeMs],
  ['staging', PATIENCE.writeMs],
  ['staged', null],
  ['installed', PATIENCE.jumpMs],
  ['switching', PATIENCE.jumpMs],
  ['confirming', PATIENCE.jumpMs],
] as const)('%s may take %s ms', (phase, ms) => {
  expect(deadlineAfter(phase, NOW, PATIENCE)).toBe(ms === null ? null : NOW + ms);
});

test.each(['writing', 'installed', 'confirming', 'staging', 'switching'] as const)(
  '%s in silence fails at the deadline and not before',
  (phase) => {
    const host = hostWith({ attempt: { phase, deadline: NOW } });
    expect(expire(host, NOW - 1, PATIENCE)).toBeNull();
    const expired = expire(host, NOW, PATIENCE);
    expect(expired?.host.attempt).toMatchObject({ outcome: 'failed', endedAt: NOW, deadline: null, phase });
    expect(expired?.why).toBe(expired?.host.attempt?.reason);
  },
);

test('a host with a long trial may take as much longer to come back, one with a short trial no less', () => {
  const jumpMs = (trialSeconds: number | null) => patienceWith({ trialSeconds }, PATIENCE).jumpMs;
  const jumped = reportWith({ kind: 'switching', slot: 'b', digest: B });
  const host = hostWith({ attempt: { phase: 'staged' }, enrolment: { trialSeconds: 86_400 } });
  const history = { sameNumber: 'none', bootKnown: true, attemptKnown: true } as const;
  const { attempt } = applyReport(host, jumped, history, NOW, PATIENCE).host;
  expect(attempt).toMatchObject({ phase: 'switching', deadline: NOW + jumpMs(86_400) });
  expect(jumpMs(86_400)).toBe(PATIENCE.jumpMs + 86_400_000 - PATIENCE.trialMs);
  expect([jumpMs(null), jumpMs(60), jumpMs(600)]).toEqual([0, 0, 0].map(() => PATIENCE.jumpMs));
});

test('what is ended, or has no deadline, does not expire', () => {
  expect(expire(hostWith(), NOW, PATIENCE)).toBeNull();
  expect(expire(hostWith({ attempt: { deadline: null } }), NOW, PATIENCE)).toBeNull();
  expect(expire(hostWith({ attempt: { outcome: 'failed', deadline: NOW - 1 } }), NOW, PATIENCE)).toBeNull();
});

test('a claim that no report followed is released; one that was used may take the time of a write', () => {
  const claimed = (used: boolean, now: number, claimedFor = 'attempt-1') =>
    expire(
      hostWith({
        enrolment: { claim: claimWith({ claimedFor, standing: used ? 'used' : 'new' }) },
        attempt: { kind: 'install', phase: 'claimed', phaseAt: NOW, deadline: NOW + PATIENCE.claimMs },
      }),
      now,
      PATIENCE,
    )?.host;
  const soon = NOW + PATIENCE.claimMs;
  const writeBy = NOW + PATIENCE.writeMs;
  expect(claimed(false, soon)?.enrolment.claim).toEqual(claimWith({ standing: 'lapsed' }));
  expect(claimed(false, soon)?.attempt).toMatchObject({ outcome: null, phase: 'claimed', deadline: null });
  for (const host of [claimed(true, soon), claimed(false, soon, 'attempt-0')]) {
    expect(host?.enrolment.claim).not.toBeNull();
    expect(host?.attempt).toMatchObject({ outcome: null, phase: 'claimed', deadline: writeBy });
  }
  expect(claimed(true, writeBy)?.attempt).toMatchObject({ outcome: 'failed' });
});
