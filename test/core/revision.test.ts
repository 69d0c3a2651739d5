import { expect, test } from 'vitest';
import type { Attempt } from '../../server/core/attempt.ts';
import type { Enrolment, Host, Observation } from '../../server/core/host.ts';
import { requireRevision, withRevision } from '../../server/core/revision.ts';
import { A, claimWith, hostWith, macAt, NOW } from '../fixtures/hosts.ts';

const before = hostWith({ enrolment: { revision: 41 }, attempt: { phase: 'staging' } });
const changed = (facts: {
  enrolment?: Partial<Enrolment>;
  attempt?: Partial<Attempt>;
  observation?: Partial<Observation>;
}): Host => ({
  enrolment: { ...before.enrolment, ...facts.enrolment },
  attempt: before.attempt && { ...before.attempt, ...facts.attempt },
  observation: before.observation && { ...before.observation, ...facts.observation },
});
const revision = (after: Host, now = 0) => withRevision(before, after, now).enrolment.revision;

test.each<[string, Partial<Enrolment>]>([
  ['status', { status: 'retired' }],
  ['macs', { macs: [macAt(2)] }],
  ['image', { assignment: { ref: 'one', digest: A } }],
  ['no image', { assignment: null }],
  ['layout', { layout: 'big' }],
  ['disk rule', { diskRule: 'first-empty' }],
  ['labels', { labels: { rack: 'r1' } }],
  ['wipe', { wipe: true }],
  ['append', { append: 'quiet' }],
  ['switch', { switchMode: 'reboot' }],
  ['a decision by hand', { byHand: true }],
])('%s raises it', (_, enrolment) => {
  expect(revision(changed({ enrolment }))).toBe(42);
});

test('an order that begins another attempt raises it', () => {
  expect(revision(changed({ attempt: { id: 'attempt-2' } }))).toBe(42);
});

test('that its token is taken away does, a new claim does not', () => {
  const claim = claimWith({ standing: 'released' });
  expect(revision(changed({ enrolment: { claim } }))).toBe(42);
});

test('what the host claims and reports does not', () => {
  const claim = claimWith();
  expect(revision(changed({ enrolment: { claim, serial: 99, forgetAt: 5 } }))).toBe(41);
  expect(revision(changed({ attempt: { phase: 'confirming', reason: 'x', deadline: 7 } }))).toBe(41);
  expect(revision(changed({ observation: { seq: 9, digest: A, at: NOW } }))).toBe(41);
});

test('it is at least the clock, also for a new host', () => {
  expect(revision(changed({ enrolment: { append: 'x' } }), NOW)).toBe(NOW);
  expect(withRevision(null, before, NOW).enrolment.revision).toBe(NOW);
});

test('a change that begins from another revision is refused', () => {
  expect(() => requireRevision(before, null)).not.toThrow();
  expect(() => requireRevision(before, [7, 41])).not.toThrow();
  for (const expected of [[], [40], [42]])
    expect(() => requireRevision(before, expected)).toThrow(/changed meanwhile: it has revision 41/);
});
