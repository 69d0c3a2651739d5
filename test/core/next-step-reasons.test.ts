import { expect, test } from 'vitest';
import { type AttemptOutcome, PHASES } from '../../server/core/attempt.ts';
import { HOST_STATES, hostState } from '../../server/core/host-state.ts';
import { nextStep } from '../../server/core/next-step.ts';
import { A, B, C, hostWith } from '../fixtures/hosts.ts';

/** Every combination of what can be known of a host gets an answer that says why, and what would change it. */

const STATUSES = ['discovered', 'ignored', 'approved', 'retired'] as const;
const OUTCOMES: readonly (AttemptOutcome | null)[] = [
  null,
  'succeeded',
  'failed',
  'rolled-back',
  'superseded',
];
const SLOTS = [
  {},
  { a: { state: 'modified', digest: A }, b: { state: 'valid', digest: B } },
  { a: { state: 'modified', digest: B }, b: { state: 'invalid', digest: null } },
] as const;

function* hosts() {
  const attempts = [
    null,
    ...(['install', 'switch'] as const).flatMap((kind) =>
      PHASES[kind].flatMap((phase) =>
        OUTCOMES.flatMap((outcome) =>
          [true, false].map((fresh) => ({
            kind,
            phase,
            outcome,
            fresh,
            endedAt: outcome === null ? null : 1,
          })),
        ),
      ),
    ),
  ];
  const seen = [
    null,
    ...(['installer', 'os'] as const).flatMap((environment) =>
      [A, B, C, null].flatMap((digest) =>
        ['boot-1', 'boot-2'].flatMap((bootId) =>
          [true, false].flatMap((trial) =>
            SLOTS.flatMap((slots) =>
              ['a', null].map((slot) => ({
                environment,
                digest,
                bootId,
                trial,
                slots,
                slot,
                disk: slot && 'd',
              })),
            ),
          ),
        ),
      ),
    ),
  ];
  for (const status of STATUSES)
    for (const held of [null, 'new memory'])
      for (const assignment of [null, { ref: 'image-b', digest: B }])
        for (const attempt of attempts)
          for (const observation of seen)
            yield hostWith({ enrolment: { status, held, assignment }, attempt, observation });
}

test('each answer has a reason and names what would change it; each state is one of the list', () => {
  const [answers, states] = [new Set<string>(), new Set<string>()];
  for (const host of hosts()) {
    const { action, reason, until, attempt, digest } = nextStep(host, 2);
    answers.add(`${action}\t${reason}\t${until}`);
    states.add(hostState(host));
    if (action === 'install' || action === 'stage' || action === 'switch')
      if (attempt === null || digest !== attempt.digest || host.enrolment.held !== null)
        throw new Error(`${action} without its order`);
  }
  for (const answer of answers) expect(answer).toMatch(/^(none|hold|install|stage|switch)\t\w.*\t\w.*\w$/);
  expect(answers.size).toBeGreaterThan(15);
  expect([...states].sort()).toEqual([...HOST_STATES].sort());
});
