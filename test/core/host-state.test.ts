import { expect, test } from 'vitest';
import { PHASES } from '../../server/core/attempt.ts';
import { HOST_STATES, type HostState, hostState } from '../../server/core/host-state.ts';
import { A, B, hostWith } from '../fixtures/hosts.ts';

type Facts = Parameters<typeof hostWith>[0];
const running = { assignment: { ref: 'image-a', digest: A } };

test.each<[HostState, string, Facts]>([
  ['discovered', 'not approved', { enrolment: { status: 'discovered' }, attempt: {} }],
  ['ignored', 'left to its disk', { enrolment: { status: 'ignored' } }],
  ['retired', 'retired', { enrolment: { status: 'retired' } }],
  ['approved', 'without an image', { enrolment: { assignment: null } }],
  ['approved', 'enrolled and never seen', { attempt: { kind: 'install' }, observation: null }],
  ['installing', 'seen, with an install to do', { attempt: { kind: 'install' } }],
  ['active', 'running its image', { enrolment: running }],
  [
    'active',
    'running its image after a late failure',
    { enrolment: running, attempt: { digest: A, outcome: 'failed' } },
  ],
  ['failed', 'failed', { attempt: { outcome: 'failed' } }],
  ['rolled-back', 'rolled back', { attempt: { outcome: 'rolled-back' } }],
  [
    'hold',
    'failed with an image that is not assigned any more',
    { attempt: { outcome: 'failed', digest: A } },
  ],
  ['hold', 'running another image', {}],
  ['unknown', 'assigned and never seen', { observation: null }],
])('%s: %s', (state, _, facts) => {
  expect(hostState(hostWith(facts))).toBe(state);
});

test('every phase of an open attempt has its word', () => {
  const words = (kind: 'install' | 'switch') =>
    PHASES[kind].map((phase) => hostState(hostWith({ attempt: { kind, phase } })));
  expect(words('install')).toEqual(['installing', 'installing', 'installing', 'switching', 'confirming']);
  expect(words('switch')).toEqual(['staging', 'staging', 'staging', 'switching', 'confirming']);
  expect(new Set(HOST_STATES).size).toBe(HOST_STATES.length);
});

test('the installer that names a digest does not run it', () => {
  const seen = { environment: 'installer', digest: B } as const;
  expect(hostState(hostWith({ observation: seen }))).toBe('hold');
});
