import { expect, test } from 'vitest';
import type { Attempt } from '../../server/core/attempt.ts';
import { expire } from '../../server/core/deadlines.ts';
import type { Enrolment } from '../../server/core/host.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { beginPowerCycle, endPowerCycle, sparePowerCycle } from '../../server/core/power-cycle.ts';
import { claimWith, hostWith, NOW } from '../fixtures/hosts.ts';

const CLAIM = claimWith();
const lost = (facts: Partial<Attempt> = {}, enrolment: Partial<Enrolment> = {}) =>
  hostWith({
    attempt: { phase: 'switching', deadline: NOW, ...facts },
    enrolment: { claim: CLAIM, ...enrolment },
  });
const AGAIN = NOW + PATIENCE.jumpMs;

test.each(['switching', 'installed'] as const)(
  'a host that does not come back from %s has its power cycled',
  (phase) => {
    const queued = expire(lost({ phase }), NOW, PATIENCE, true)?.host;
    expect(queued?.attempt).toMatchObject({ power: 'queued', outcome: null, deadline: AGAIN, phase });
    expect(expire(lost({ phase }), NOW - 1, PATIENCE, true)).toBeNull();
  },
);

test.each<[string, ReturnType<typeof lost>, boolean]>([
  ['without a hook', lost(), false],
  ['without a token: anybody may have spoken for it', lost({}, { claim: null }), true],
  ['that an operator holds', lost({}, { held: 'maintenance' }), true],
  ['that writes', lost({ phase: 'staging' }), true],
  ['that came up', lost({ phase: 'confirming' }), true],
  ...(['queued', 'begun', 'done', 'failed'] as const).map(
    (power) =>
      [`cycled before (${power})`, lost({ power }), true] as [string, ReturnType<typeof lost>, boolean],
  ),
])('a host %s is not: its attempt fails', (_, host, hasHook) => {
  expect(expire(host, NOW, PATIENCE, hasHook)?.host.attempt).toMatchObject({ outcome: 'failed' });
});

test.each([
  ['queued', /its power was not cycled, or nobody knows/],
  ['begun', /its power was not cycled, or nobody knows/],
  ['done', /not even after its power was cycled/],
  ['failed', /its power was not cycled, or nobody knows/],
] as const)('after %s the reason of the failure says so', (power, why) => {
  expect(expire(lost({ power }), NOW, PATIENCE, true)?.why).toMatch(why);
});

test('it begins once, and each step gives the machine its time', () => {
  const queued = lost({ power: 'queued' });
  const begun = beginPowerCycle(queued, NOW, PATIENCE);
  expect(begun?.attempt).toMatchObject({ power: 'begun', deadline: AGAIN });
  expect(begun && beginPowerCycle(begun, NOW, PATIENCE)).toBeNull();
  expect(endPowerCycle(queued, true, NOW, PATIENCE)).toBeNull();
  for (const ok of [true, false])
    expect(begun && endPowerCycle(begun, ok, NOW + 9, PATIENCE)?.attempt).toMatchObject({
      power: ok ? 'done' : 'failed',
      outcome: null,
      deadline: AGAIN + 9,
    });
  const longTrial = lost({ power: 'queued' }, { trialSeconds: 86_400 });
  expect(beginPowerCycle(longTrial, NOW, PATIENCE)?.attempt?.deadline).toBeGreaterThan(NOW + 86_400_000);
});

test('a host that came back before its turn is spared; one that came back while the hook ran keeps its deadline', () => {
  const back = lost({ power: 'queued', phase: 'confirming' });
  expect(beginPowerCycle(back, NOW, PATIENCE)).toBeNull();
  expect(sparePowerCycle(back)?.attempt).toMatchObject({ power: null, deadline: NOW });
  expect(sparePowerCycle(lost({ power: 'queued' }))).toBeNull();
  const held = lost({ power: 'queued' }, { held: 'maintenance' });
  expect(beginPowerCycle(held, NOW, PATIENCE)).toBeNull();
  expect(sparePowerCycle(held)?.attempt?.power).toBeNull();
  const meanwhile = lost({ power: 'begun', phase: 'confirming' });
  expect(endPowerCycle(meanwhile, true, NOW, PATIENCE)?.attempt).toMatchObject({
    power: 'done',
    deadline: NOW,
  });
});

test('what has ended stays as it is', () => {
  for (const power of ['queued', 'begun'] as const) {
    const ended = lost({ power, outcome: 'rolled-back', deadline: null });
    expect([
      beginPowerCycle(ended, NOW, PATIENCE),
      endPowerCycle(ended, true, NOW, PATIENCE),
      sparePowerCycle(ended),
    ]).toEqual([null, null, null]);
  }
});
