import { expect, test } from 'vitest';
import type { Member, MemberAttempt } from '../../server/core/rollout.ts';
import { planBack } from '../../server/core/rollout-back.ts';
import { A, B, C, NOW } from '../fixtures/hosts.ts';

const own: MemberAttempt = {
  id: 'attempt-1',
  kind: 'switch',
  digest: B,
  cause: 'rollout rollout-1',
  phase: 'confirming',
  outcome: 'succeeded',
  reason: '',
  createdAt: NOW,
  endedAt: NOW,
};
const host = { status: 'approved', held: null, assigned: B, runs: B, heardAt: NOW } as const;

/** Moved from A to B by the rollout, and by nobody since. */
function member(facts: Partial<Member> = {}): Member {
  const [target, before] = [
    { ref: 'two', digest: B },
    { ref: 'one', digest: A },
  ];
  return { hostId: 'h', mac: 'm', wave: 0, target, before, host, own, last: own, seenAt: NOW, ...facts };
}

const moved = member({ hostId: 'h0', mac: 'm0' });
const back = (one: Member, hasImage = true) =>
  planBack([moved, one], (digest) => digest === A && hasImage, 1, NOW);

test('a host goes back to what it ran, in one wave with the others', () => {
  expect(back(member())).toEqual({
    waves: [{ upTo: '100%', hosts: 2 }],
    members: [
      { hostId: 'h0', mac: 'm0', wave: 0, target: { ref: 'one', digest: A } },
      { hostId: 'h', mac: 'm', wave: 0, target: { ref: 'one', digest: A } },
    ],
    leftOut: [],
  });
});

test.each([
  ['retired', { host: { ...host, status: 'retired' } }, 'the host is retired'],
  [
    'ordered by somebody since',
    { last: { ...own, id: 'attempt-2', cause: 'operator: assign' } },
    'it got another order since: operator: assign',
  ],
  [
    'assigned by somebody since to what it ran',
    { host: { ...host, assigned: A } },
    'another image was assigned to it since',
  ],
  ['installed by it', { before: null }, 'it ran nothing before'],
  ['written anew by it', { before: { ref: 'two', digest: B } }, 'it ran the same image before'],
  [
    'that ran an image which is gone',
    { before: { ref: 'three', digest: C } },
    `the image that it ran before is gone: three (${C}). Import it or build it again`,
  ],
  [
    'that ran a gone image which never had a name',
    { before: { ref: C, digest: C } },
    `the image that it ran before is gone: ${C}. Import it or build it again`,
  ],
] as const)('a host stays and is named: %s', (_, facts, reason) => {
  expect(back(member(facts))).toMatchObject({ members: [{ mac: 'm0' }], leftOut: [{ mac: 'm', reason }] });
});

test.each([
  ['not ordered', { own: null, last: null, host: { ...host, assigned: A } }],
  ['removed', { host: null }],
  [
    'whose order was taken back',
    {
      own: { ...own, outcome: 'superseded' },
      last: { ...own, outcome: 'superseded' },
      host: { ...host, assigned: A },
    },
  ],
] as const)('a host that was not moved is no matter: %s', (_, facts) => {
  expect(back(member(facts))).toMatchObject({ members: [{ mac: 'm0' }], leftOut: [] });
});

test('where nobody goes back, the first are named and the others counted', () => {
  const gone = (number: number) => member({ hostId: `h${number}`, mac: `m${number}` });
  const all = [1, 2, 3, 4, 5].map(gone);
  expect(() => planBack(all, () => false, 1, NOW)).toThrow(
    /^There is nothing to roll back, and the rollout is over: m1: .*; m2: .*; m3: .*; and 2 more\.$/,
  );
  expect(() => planBack([], () => true, 1, NOW)).toThrow(/no host was moved by this rollout/);
});
