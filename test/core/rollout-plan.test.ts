import { expect, test } from 'vitest';
import { type Amount, failureLimit, hostsIn, unavailableLimit } from '../../server/core/rollout.ts';
import { type Candidate, planRollout } from '../../server/core/rollout-plan.ts';
import { A, B, NOW } from '../fixtures/hosts.ts';

const candidate = (number: number, facts: Partial<Candidate> = {}): Candidate => ({
  hostId: `host-${number}`,
  mac: `mac-${number}`,
  status: 'approved',
  runs: A,
  seenAt: NOW,
  ...facts,
});
const many = (count: number) => Array.from({ length: count }, (_, at) => candidate(at + 1));
const plan = (candidates: readonly Candidate[], waves: readonly Amount[]) =>
  planRollout(candidates, { waves, skipAfterMs: 600_000, digest: B, fresh: false }, NOW);

test.each([
  [100, [1, '10%', '50%', '100%'], [1, 9, 40, 50]],
  [10_000, ['100%'], [10_000]],
  [3, [1, '10%', '50%', '100%'], [1, 1, 1]],
  [1, [1, '10%', '50%', '100%'], [1]],
  [7, [2, 5, '100%'], [2, 3, 2]],
  [5, [9], [5]],
] as const)('%i hosts in waves %j', (count, waves, sizes) => {
  const planned = plan(many(count), waves);
  expect(planned.waves.map(({ hosts }) => hosts)).toEqual(sizes);
  expect(planned.members.map(({ wave }) => wave)).toEqual(
    sizes.flatMap((size, wave) => Array(size).fill(wave)),
  );
  expect(planned.members.map(({ hostId }) => hostId)).toEqual(many(count).map(({ hostId }) => hostId));
});

test('waves that leave hosts out are refused, with the numbers', () => {
  expect(() => plan(many(10), [1, '50%'])).toThrow(/end at 5 of 10 hosts/);
});

test('only approved hosts take part, and the others are named', () => {
  const found = [candidate(1, { status: 'ignored' }), candidate(2), candidate(3, { status: 'retired' })];
  expect(plan(found, ['100%'])).toMatchObject({
    members: [{ hostId: 'host-2' }],
    leftOut: [
      { mac: 'mac-1', reason: 'the host is ignored' },
      { mac: 'mac-3', reason: 'the host is retired' },
    ],
  });
  expect(() => plan([candidate(1, { status: 'discovered' })], ['100%'])).toThrow(/none of the 1/);
  expect(() => plan([], ['100%'])).toThrow(/fits the selector/);
});

test('the canary is a host that can prove something', () => {
  const found = [
    candidate(1, { runs: B }),
    candidate(2, { seenAt: null }),
    candidate(3, { seenAt: NOW - 600_000 }),
    candidate(4),
    candidate(5),
  ];
  expect(plan(found, [1, '100%']).members.map(({ hostId }) => hostId)).toEqual([
    'host-4',
    'host-5',
    'host-2',
    'host-3',
    'host-1',
  ]);
  const fresh = planRollout(found, { waves: ['100%'], skipAfterMs: 600_000, digest: B, fresh: true }, NOW);
  expect(fresh.members[0]?.hostId).toBe('host-1');
});

test('shares are rounded to where they do least harm', () => {
  expect([
    hostsIn('7%', 100, 'up'),
    hostsIn('0.5%', 1000, 'up'),
    hostsIn('33.3%', 10, 'down'),
    hostsIn(4, 2, 'up'),
  ]).toEqual([7, 5, 3, 4]);
  const waves = [1, 9, 90].map((hosts) => ({ upTo: hosts, hosts }));
  expect(unavailableLimit({ waves, maxUnavailable: '25%' })).toBe(25);
  expect(unavailableLimit({ waves: waves.slice(0, 1), maxUnavailable: '25%' })).toBe(1);
  expect([0, 1, 2].map((wave) => failureLimit({ waves, wave, failureThreshold: '5%' }))).toEqual([1, 1, 5]);
});
