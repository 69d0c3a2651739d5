import { describe, expect, test } from 'vitest';
import { memberState } from '../../server/core/rollout-member.ts';
import { orderMember, takeMemberBack } from '../../server/core/rollout-orders.ts';
import { aborting, ended, paused, ROLLOUT_MOVES, resumed } from '../../server/core/rollout-status.ts';
import { progressOf } from '../../server/core/rollout-tally.ts';
import { A, attempt, B, C, NOW } from '../fixtures/hosts.ts';
import { MINUTE, RolloutFleet, rolloutWith } from '../fixtures/rollout-fleet.ts';

const state = (fleet: RolloutFleet, id: string) => {
  const member = fleet.members().find(({ hostId }) => hostId === id);
  if (!member) throw new Error(`${id} is no member`);
  return memberState(member, fleet.look);
};
function work(fleet: RolloutFleet, ...ids: string[]) {
  for (let phase = 0; phase < 5; phase += 1) for (const id of ids) fleet.work(id);
}

test('a canary, its soak, then the rest, no more at once than may be away', () => {
  const fleet = new RolloutFleet(4, { upTo: [1, '100%'], maxUnavailable: 2 });
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-1'] });
  expect(fleet.step()).toMatchObject({ do: 'wait', reason: 'wave 1 of 2: 1 of 1 hosts are not there yet' });
  work(fleet, 'host-1');
  expect(fleet.step().do).toBe('soak');
  const soaks = { do: 'wait', until: NOW + 5 * MINUTE, reason: expect.stringMatching(/soaks until 20/) };
  expect(fleet.step()).toEqual(soaks);
  fleet.pass(5 * MINUTE - 1);
  expect(fleet.step()).toEqual(soaks);
  fleet.pass(1);
  expect(fleet.step().do).toBe('advance');
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2', 'host-3'] });
  expect(fleet.step()).toMatchObject({
    do: 'wait',
    reason:
      'wave 2 of 2: 3 of 4 hosts are not there yet, 1 wait until one of 2 that are on their way is there',
  });
  work(fleet, 'host-3');
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-4'] });
  work(fleet, 'host-2', 'host-4');
  expect(fleet.step()).toMatchObject({ do: 'end', as: 'finished' });
});

test('a clock that is set back while a wave soaks makes it soak anew, and not for as long as it was wrong', () => {
  const fleet = new RolloutFleet(2, { upTo: [1, '100%'] });
  fleet.step();
  work(fleet, 'host-1');
  expect(fleet.step().do).toBe('soak');
  fleet.pass(-24 * 60 * MINUTE);
  expect(fleet.step().do).toBe('soak');
  expect(fleet.step()).toMatchObject({ do: 'wait', until: fleet.now + 5 * MINUTE });
  fleet.pass(5 * MINUTE);
  expect(fleet.step().do).toBe('advance');
});

test('hosts that run the image are done without an order, but are assigned to it', () => {
  const fleet = new RolloutFleet(1);
  fleet.hear('host-1', B);
  expect(fleet.step().do).toBe('assign');
  expect(fleet.orders).toEqual([]);
  expect(fleet.hosts.get('host-1')?.enrolment.assignment?.digest).toBe(B);
  expect(fleet.step()).toMatchObject({ do: 'end' });
});

describe('failures', () => {
  test('pause it at the threshold, and resuming accepts them', () => {
    const fleet = new RolloutFleet(10, { maxUnavailable: 3, failureThreshold: 2 });
    fleet.settle();
    fleet.pass(1000);
    fleet.finish('host-1', 'rolled-back');
    expect(fleet.step().do).toBe('assign');
    fleet.finish('host-2', 'failed');
    expect(fleet.step()).toEqual({
      do: 'pause',
      reason: '2 of 2 failures that it bears: host-1 rolled-back: made to be rolled-back'.replace(
        'host-1',
        fleet.members()[0]?.mac ?? '',
      ),
    });
    expect(fleet.step()).toMatchObject({ do: 'wait', until: null });
    fleet.pass(1000);
    fleet.rollout = resumed(fleet.rollout, 'go on', false, fleet.now);
    expect(fleet.step()).toMatchObject({ do: 'assign' });
    expect(state(fleet, 'host-1').state).toBe('rolled-back');
    fleet.pass(1000);
    fleet.finish('host-3', 'failed');
    expect(fleet.step().do).not.toBe('pause');
  });

  test('are tried once more when that was asked for, and once only', () => {
    const fleet = new RolloutFleet(2, { failureThreshold: 1 });
    fleet.settle();
    fleet.pass(1000);
    fleet.finish('host-1', 'failed');
    expect(fleet.step().do).toBe('pause');
    fleet.pass(1000);
    fleet.rollout = resumed(fleet.rollout, 'again', true, fleet.now);
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-1'] });
    expect(state(fleet, 'host-1').state).toBe('staging');
    fleet.pass(1000);
    fleet.finish('host-1', 'failed');
    expect(fleet.step().do).toBe('pause');
    expect(fleet.orders.filter(({ hostId }) => hostId === 'host-1').length).toBe(2);
  });

  test('no wave follows one in which no host came to run the image, however many failures it bears', () => {
    const fleet = new RolloutFleet(4, { upTo: [1, '100%'], failureThreshold: 3 });
    fleet.step();
    fleet.pass(1);
    fleet.finish('host-1', 'rolled-back');
    expect(fleet.step()).toMatchObject({
      do: 'pause',
      reason: expect.stringMatching(/^no host of wave 1 of 2/),
    });
    fleet.rollout = resumed(fleet.rollout, 'it was the machine', false, fleet.now);
    expect(fleet.step().do).toBe('soak');
  });

  test('a pause of an operator does not make a wave lead on that proves nothing', () => {
    const fleet = new RolloutFleet(4, { upTo: [1, '100%'] });
    fleet.step();
    fleet.rollout = resumed(paused(fleet.rollout, 'lunch'), 'back', false, fleet.now);
    fleet.isOn.delete('host-1');
    fleet.pass(10 * MINUTE);
    expect(fleet.step()).toMatchObject({ do: 'take-back', hosts: ['host-1'] });
    expect(fleet.step()).toMatchObject({
      do: 'pause',
      reason: expect.stringMatching(
        /^no host of wave 1 of 2 came to run the image: .* not seen for long since/,
      ),
    });
    fleet.rollout = resumed(fleet.rollout, 'that one is broken', false, fleet.now);
    expect(fleet.step().do).toBe('soak');
  });

  test('nor does it accept that a host falls silent while it soaks', () => {
    const fleet = new RolloutFleet(3, { upTo: [1, '100%'], soakMs: 60 * MINUTE });
    fleet.step();
    work(fleet, 'host-1');
    fleet.step();
    fleet.rollout = resumed(paused(fleet.rollout, 'lunch'), 'back', false, fleet.now);
    fleet.isOn.delete('host-1');
    fleet.pass(10 * MINUTE);
    expect(fleet.step()).toMatchObject({ do: 'pause', reason: expect.stringMatching(/fell silent/) });
    fleet.rollout = resumed(fleet.rollout, 'a cable', false, fleet.now);
    expect(fleet.step().do).toBe('wait');
  });

  test('a host that falls back after it had succeeded is one', () => {
    const fleet = new RolloutFleet(3, { upTo: [1, '100%'], failureThreshold: 1 });
    fleet.step();
    work(fleet, 'host-1');
    expect(fleet.step().do).toBe('soak');
    fleet.pass(MINUTE);
    fleet.hear('host-1', A);
    expect(state(fleet, 'host-1')).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/since$/),
    });
    expect(fleet.step()).toMatchObject({ do: 'pause' });
  });

  test('such a host counts again at each of its reports, until another image is assigned to it', () => {
    const fleet = new RolloutFleet(4, { upTo: [2, '100%'], failureThreshold: 1 });
    fleet.step();
    work(fleet, 'host-1', 'host-2');
    fleet.step();
    for (const _ of ['it falls back', 'it boots once more']) {
      fleet.pass(1000);
      fleet.hear('host-1', A);
      expect(fleet.step().do).toBe('pause');
      fleet.pass(1000);
      fleet.rollout = resumed(fleet.rollout, 'known', false, fleet.now);
      expect(fleet.step().do).toBe('wait');
    }
    fleet.put('host-1', { ref: 'image-a', digest: A });
    fleet.pass(1000);
    fleet.hear('host-1', A);
    expect(fleet.step().do).toBe('wait');
  });

  test('so is one that falls silent while it soaks', () => {
    const fleet = new RolloutFleet(3, { upTo: [1, '100%'], soakMs: 60 * MINUTE });
    fleet.step();
    work(fleet, 'host-1');
    fleet.step();
    fleet.isOn.delete('host-1');
    fleet.pass(10 * MINUTE);
    expect(fleet.step()).toMatchObject({ do: 'pause', reason: expect.stringMatching(/fell silent/) });
  });

  test('a machine that jumped and is not heard of counts as away, so that no other takes its place', () => {
    const fleet = new RolloutFleet(3, { maxUnavailable: 1, failureThreshold: 3 });
    fleet.step();
    for (const _ of ['staging', 'staged', 'switching']) fleet.work('host-1');
    fleet.pass(45 * MINUTE);
    fleet.finish('host-1', 'failed');
    expect(fleet.step()).toMatchObject({ do: 'wait' });
    fleet.pass(1);
    fleet.hear('host-1', A);
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
  });
});

test('a machine that jumped and was not heard of since is not ordered once more until it is', () => {
  const fleet = new RolloutFleet(2, { maxUnavailable: 1, failureThreshold: 1, skipAfterMs: 120 * MINUTE });
  fleet.step();
  for (const _ of ['staging', 'staged', 'switching']) fleet.work('host-1');
  fleet.finish('host-1', 'failed');
  fleet.isOn.delete('host-1');
  expect(fleet.step().do).toBe('pause');
  fleet.pass(MINUTE);
  fleet.rollout = resumed(fleet.rollout, 'mended', true, fleet.now);
  expect(fleet.step()).toMatchObject({ do: 'wait' });
  expect(state(fleet, 'host-1')).toEqual({
    state: 'held',
    reason: 'it jumped and was not heard of since',
  });
  // It asks: then it lives.
  fleet.seenAt.set('host-1', fleet.now);
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-1'] });
});

describe('hosts that are off', () => {
  test('are passed over, and ordered when they are back before the end', () => {
    const fleet = new RolloutFleet(2, { maxUnavailable: 1 });
    fleet.isOn.delete('host-1');
    fleet.pass(10 * MINUTE);
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
    expect(state(fleet, 'host-1')).toMatchObject({
      state: 'skipped',
      reason: expect.stringMatching(/not seen since/),
    });
    fleet.isOn.add('host-1');
    fleet.pass(MINUTE);
    work(fleet, 'host-2');
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-1'] });
  });

  test('do not keep it from its end', () => {
    const fleet = new RolloutFleet(1);
    fleet.isOn.delete('host-1');
    fleet.pass(10 * MINUTE);
    expect(fleet.step()).toMatchObject({ do: 'end', as: 'finished' });
  });

  test('an order that nobody has acted on is taken back, and its place is free', () => {
    const fleet = new RolloutFleet(2, { maxUnavailable: 1 });
    fleet.step();
    fleet.isOn.delete('host-1');
    fleet.pass(10 * MINUTE);
    expect(fleet.step()).toMatchObject({ do: 'take-back', hosts: ['host-1'] });
    const host = fleet.hosts.get('host-1');
    expect(host?.enrolment.assignment).toEqual({ ref: 'image-a', digest: A });
    expect(host?.attempt).toMatchObject({ outcome: 'superseded' });
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
    expect(state(fleet, 'host-1').state).toBe('skipped');
    // This rollout gives it no other.
    fleet.isOn.add('host-1');
    fleet.pass(MINUTE);
    work(fleet, 'host-2');
    expect(fleet.step()).toMatchObject({ do: 'end', as: 'finished' });
  });

  test('one that jumps is waited for: its deadline says for how long', () => {
    const fleet = new RolloutFleet(1);
    fleet.step();
    for (const _ of ['staging', 'staged', 'switching']) fleet.work('host-1');
    fleet.isOn.delete('host-1');
    fleet.pass(30 * MINUTE);
    expect(fleet.step()).toMatchObject({ do: 'wait' });
  });

  test('after a start of the server nobody is passed over until it has listened', () => {
    const fleet = new RolloutFleet(1);
    fleet.startedAt = fleet.now;
    fleet.seenAt.clear();
    expect(fleet.step()).toMatchObject({ do: 'wait', until: fleet.now + 2 * MINUTE });
    expect(state(fleet, 'host-1').state).toBe('held');
    fleet.seenAt.set('host-1', fleet.now);
    expect(fleet.step().do).toBe('assign');
  });
});

describe('orders of others', () => {
  const toC = { ref: 'image-c', digest: C };
  test('a later one takes the host out, before its turn and after it', () => {
    const fleet = new RolloutFleet(2, { maxUnavailable: 1 });
    fleet.pass(1);
    fleet.put('host-2', toC);
    fleet.step();
    fleet.put('host-1', toC);
    expect(state(fleet, 'host-1')).toMatchObject({ state: 'skipped' });
    expect(state(fleet, 'host-2')).toMatchObject({
      state: 'skipped',
      reason: expect.stringMatching(/operator: assign/),
    });
    expect(fleet.step()).toMatchObject({ do: 'end' });
  });

  test('an earlier one is replaced, but not in the middle of its jump', () => {
    const fleet = new RolloutFleet(2);
    for (const id of ['host-1', 'host-2']) fleet.put(id, toC);
    for (const _ of ['staging', 'staged', 'switching']) fleet.work('host-2');
    fleet.pass(1);
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-1'] });
    expect(state(fleet, 'host-2')).toMatchObject({ state: 'held' });
    fleet.work('host-2');
    fleet.work('host-2');
    expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
  });

  test('a failure stays counted when the host is given another image', () => {
    const fleet = new RolloutFleet(4, { failureThreshold: 2, maxUnavailable: 2 });
    fleet.step();
    fleet.pass(1);
    fleet.finish('host-1', 'rolled-back');
    fleet.put('host-1', toC);
    work(fleet, 'host-1');
    fleet.finish('host-2', 'rolled-back');
    expect(fleet.step()).toMatchObject({ do: 'pause', reason: expect.stringMatching(/^2 of 2/) });
  });

  test('one that is under way to the same image is waited for', () => {
    const fleet = new RolloutFleet(1);
    fleet.put('host-1', { ref: 'image-b', digest: B });
    fleet.pass(1);
    expect(fleet.step()).toMatchObject({ do: 'wait' });
    expect(state(fleet, 'host-1')).toEqual({
      state: 'held',
      reason: 'another order brings it there: operator: assign',
    });
    work(fleet, 'host-1');
    expect(fleet.step()).toMatchObject({ do: 'end', as: 'finished' });
    expect(state(fleet, 'host-1').state).toBe('succeeded');
  });

  test('the image failed on it before: nobody asked to try it again', () => {
    const fleet = new RolloutFleet(1);
    fleet.put('host-1', { ref: 'image-b', digest: B });
    fleet.finish('host-1', 'rolled-back');
    fleet.pass(1);
    expect(state(fleet, 'host-1')).toEqual({
      state: 'skipped',
      reason: 'the image failed on it before: retry it',
    });
    fleet.rollout = resumed(paused(fleet.rollout, 'x'), 'x', true, fleet.now);
    expect(fleet.step().do).toBe('assign');
    expect(fleet.orders.length).toBe(1);
  });
});

test('a host that an operator holds is passed over; an order that it has not acted on is taken back', () => {
  const fleet = new RolloutFleet(2, { maxUnavailable: 1 });
  const hold = (id: string, held: string | null) => {
    const host = fleet.hosts.get(id);
    if (host) fleet.hosts.set(id, { ...host, enrolment: { ...host.enrolment, held } });
  };
  fleet.step();
  hold('host-1', 'a disk is changed');
  expect(fleet.step()).toMatchObject({ do: 'take-back', hosts: ['host-1'] });
  hold('host-2', 'it serves');
  expect(state(fleet, 'host-2')).toMatchObject({
    state: 'skipped',
    reason: expect.stringMatching(/^held: it serves/),
  });
  hold('host-2', null);
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
});

test('fresh: the slot is written anew on who runs the image, and on whom it failed before', () => {
  const fleet = new RolloutFleet(2, { fresh: true });
  fleet.hear('host-1', B);
  fleet.put('host-2', { ref: 'image-b', digest: B });
  fleet.finish('host-2', 'rolled-back');
  fleet.pass(1);
  fleet.step();
  expect(fleet.orders.map(({ hostId }) => hostId).toSorted()).toEqual(['host-1', 'host-2']);
});

test.each([
  ['removed', (fleet: RolloutFleet) => fleet.remove('host-1'), 'the host was removed'],
  [
    'retired',
    (fleet: RolloutFleet) => {
      const host = fleet.hosts.get('host-1');
      if (host) fleet.hosts.set('host-1', { ...host, enrolment: { ...host.enrolment, status: 'retired' } });
    },
    'the host is retired',
  ],
] as const)('a host that is %s meanwhile is not waited for', (_, happens, reason) => {
  const fleet = new RolloutFleet(2, { maxUnavailable: 1 });
  happens(fleet);
  expect(state(fleet, 'host-1')).toEqual({ state: 'skipped', reason });
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
});

test('what rolled back runs its old image: its place is free', () => {
  const fleet = new RolloutFleet(2, { maxUnavailable: 1, failureThreshold: 2 });
  fleet.step();
  for (const _ of ['staging', 'staged', 'switching']) fleet.work('host-1');
  fleet.pass(1);
  fleet.finish('host-1', 'rolled-back');
  expect(fleet.step()).toEqual({ do: 'assign', hosts: ['host-2'] });
});

test('an abort lets an install that was claimed come to its end, and takes back one that was not', () => {
  const fleet = new RolloutFleet(2);
  for (const [id, host] of fleet.hosts) fleet.hosts.set(id, { ...host, observation: null });
  fleet.step();
  expect(fleet.hosts.get('host-1')?.attempt?.kind).toBe('install');
  fleet.work('host-1');
  expect(fleet.hosts.get('host-1')?.attempt?.phase).toBe('claimed');
  fleet.rollout = aborting(fleet.rollout, 'wrong image');
  expect(fleet.step()).toMatchObject({ do: 'take-back', hosts: ['host-2'] });
});

test('an abort takes back what no host has acted on, and lets the others come to their end', () => {
  const fleet = new RolloutFleet(3);
  fleet.step();
  for (const _ of ['staging', 'staged', 'switching']) fleet.work('host-1');
  fleet.work('host-2');
  fleet.rollout = aborting(fleet.rollout, 'wrong image');
  expect(fleet.step(1)).toMatchObject({ do: 'take-back', hosts: ['host-2', 'host-3'] });
  // The server died after the first.
  expect(fleet.step()).toMatchObject({ do: 'take-back', hosts: ['host-3'] });
  expect(fleet.step()).toMatchObject({ do: 'end', as: 'aborted' });
  expect(fleet.step()).toMatchObject({ do: 'wait', reason: 'wrong image' });
  expect(fleet.hosts.get('host-1')?.attempt).toMatchObject({ outcome: null, phase: 'switching' });
  expect(state(fleet, 'host-2')).toMatchObject({ state: 'skipped', reason: 'wrong image' });
});

test('a rollout that is over or paused takes no second end', () => {
  const rollout = rolloutWith();
  const result = progressOf(rollout, [], { rollout, now: NOW, startedAt: NOW }).total;
  const over = ended(rollout, 'finished', 'done', result, NOW);
  expect(() => paused(over, 'x')).toThrow(/is finished \(done\).*Start another one/);
  expect(() => resumed(rollout, 'x', false, NOW)).toThrow(/is running/);
  expect(() => ended(paused(rollout, 'x'), 'finished', 'x', result, NOW)).toThrow(/is paused/);
  expect(Object.values(ROLLOUT_MOVES).flat()).toContain('aborted');
});

describe('whose turn is it once more', () => {
  const failed = (createdAt: number, endedAt: number) => {
    const fleet = new RolloutFleet(1, { retryFrom: NOW + 10 });
    const [member] = fleet.members();
    if (!member) throw new Error('no member');
    const own = attempt({
      id: 'own',
      outcome: 'failed' as const,
      createdAt,
      endedAt,
      rolloutId: 'rollout-1',
    });
    return memberState({ ...member, own, last: own }, { ...fleet.look, now: NOW + 20 }).state;
  };
  test('of those that had failed when somebody said so', () => {
    expect(failed(NOW, NOW + 10)).toBe('waiting');
    expect(failed(NOW + 9, NOW + 9)).toBe('waiting');
  });
  test('not of an order that failed afterwards, also in the same millisecond', () => {
    expect(failed(NOW, NOW + 11)).toBe('failed');
    expect(failed(NOW + 10, NOW + 10)).toBe('failed');
    expect(failed(NOW + 11, NOW + 12)).toBe('failed');
  });
});

describe('an operator who was faster than the look at all members', () => {
  const order = { attemptId: 'late', rolloutId: 'rollout-1' };
  const seenOf = (fleet: RolloutFleet) => {
    const [member, host] = [fleet.members()[0], fleet.hosts.get('host-1')];
    if (!member || !host) throw new Error('no member');
    return { member, host };
  };
  test('keeps the order: nothing else is ordered', () => {
    const fleet = new RolloutFleet(1);
    const { member, host } = seenOf(fleet);
    expect(orderMember(host, member, fleet.look, order)).not.toBeNull();
    const theirs = attempt({ id: 'theirs', digest: C, createdAt: NOW + 1 });
    expect(orderMember({ ...host, attempt: theirs }, member, fleet.look, order)).toBeNull();
  });
  test('keeps the order: it is not taken back in the place of the one of the rollout', () => {
    const fleet = new RolloutFleet(1);
    fleet.step();
    const { member, host } = seenOf(fleet);
    expect(takeMemberBack(host, member, 'lost', NOW)).not.toBeNull();
    const theirs = attempt({ id: 'theirs', digest: C, createdAt: NOW + 1 });
    expect(takeMemberBack({ ...host, attempt: theirs }, member, 'lost', NOW)).toBeNull();
  });
});
