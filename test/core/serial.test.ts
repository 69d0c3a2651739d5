import { expect, test } from 'vitest';
import type { Host } from '../../server/core/host.ts';
import { withSerial } from '../../server/core/serial.ts';
import { A, claimWith, hostWith, macAt, NOW } from '../fixtures/hosts.ts';

const before = hostWith({ attempt: { phase: 'staging' } });
const raised = (after: Host, now = 0) => withSerial(before, after, 2, now).enrolment.serial;

test('a new host begins at the clock', () => {
  expect(withSerial(null, hostWith({ enrolment: { serial: 0 } }), 2, NOW).enrolment.serial).toBe(NOW);
});

test('what a manifest does not show raises nothing', () => {
  const progress = { phase: 'write', bytesDone: 1, bytesTotal: 2 };
  expect(
    withSerial(before, hostWith({ attempt: { phase: 'staging', progress } }), 2, NOW).enrolment.serial,
  ).toBe(7);
  expect(raised(hostWith({ attempt: { phase: 'staging' }, observation: { seq: 9, at: NOW } }))).toBe(7);
  expect(raised(hostWith({ attempt: { phase: 'staging' }, enrolment: { labels: { a: 'b' } } }))).toBe(7);
  const claim = claimWith();
  expect(raised(hostWith({ attempt: { phase: 'staging' }, enrolment: { claim } }))).toBe(7);
});

test.each<[string, Parameters<typeof hostWith>[0]]>([
  ['the attempt', { attempt: { phase: 'staging', id: 'attempt-2' } }],
  ['the action', { attempt: { phase: 'staging', outcome: 'failed' } }],
  ['the disk', { attempt: { phase: 'staging' }, observation: { disk: 'other' } }],
  ['the running slot', { attempt: { phase: 'staging' }, observation: { slot: 'b' } }],
  ['the kernel arguments', { attempt: { phase: 'staging' }, enrolment: { append: 'quiet' } }],
  ['the way to switch', { attempt: { phase: 'staging' }, enrolment: { switchMode: 'reboot' } }],
  ['the time of a trial', { attempt: { phase: 'staging' }, enrolment: { trialSeconds: 900 } }],
  ['the reading back', { attempt: { phase: 'staging' }, enrolment: { readBack: false } }],
  ['the rate', { attempt: { phase: 'staging' }, enrolment: { rateBytes: 20_000_000 } }],
  ['the layout', { attempt: { phase: 'staging' }, enrolment: { layout: 'other' } }],
  ['the disk rule', { attempt: { phase: 'staging' }, enrolment: { diskRule: 'first-empty' } }],
  ['the first MAC', { attempt: { phase: 'staging' }, enrolment: { macs: [macAt(2), macAt(1)] } }],
  ['another MAC', { attempt: { phase: 'staging' }, enrolment: { macs: [macAt(1), macAt(2)] } }],
  [
    'the files',
    {
      attempt: { phase: 'staging' },
      enrolment: { files: { sha256: 'f'.repeat(64), bytes: 2048 }, claim: claimWith() },
    },
  ],
  ['the assignment', { attempt: { phase: 'staging' }, enrolment: { assignment: { ref: 'x', digest: A } } }],
])('%s raises it by one, or to the clock', (_, facts) => {
  expect(raised(hostWith(facts))).toBe(8);
  expect(raised(hostWith(facts), NOW)).toBe(NOW);
});
