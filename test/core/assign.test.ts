import { describe, expect, test } from 'vitest';
import { assign, type Order, start } from '../../server/core/assign.ts';
import { A, B, C, hostWith, NOW } from '../fixtures/hosts.ts';

const order = (facts: Partial<Order> = {}): Order => ({
  attemptId: 'attempt-2',
  target: { ref: 'image-b', digest: B },
  cause: 'operator: assign',
  fresh: false,
  now: NOW,
  ...facts,
});
const toA = { target: { ref: 'image-a', digest: A } };
const toC = { target: { ref: 'image-c', digest: C } };

test('another image than the one that runs begins a switch from the boot that runs', () => {
  const { host, superseded, began, pending } = assign(hostWith(), order());
  expect({ superseded, began }).toEqual({ superseded: null, began: true });
  expect(pending).toBe(host.attempt);
  expect(host.enrolment.assignment).toEqual({ ref: 'image-b', digest: B });
  expect(host.attempt).toMatchObject({ id: 'attempt-2', kind: 'switch', digest: B, workBootId: 'boot-1' });
});

test.each(['discovered', 'retired'] as const)('a host that is %s takes no image', (status) => {
  expect(() => assign(hostWith({ enrolment: { status } }), order())).toThrow(/Approve/);
});

describe('the same target again', () => {
  test('is the same attempt, also by another name', () => {
    const before = hostWith({ attempt: { phase: 'staging' } });
    const { host, began, pending } = assign(before, order({ target: { ref: 'other:1', digest: B } }));
    expect(began).toBe(false);
    expect(host.attempt).toBe(before.attempt);
    expect(pending).toBe(before.attempt);
  });
  test('is the same attempt when that one writes fresh bytes already', () => {
    const before = hostWith({ attempt: { phase: 'staging', fresh: true } });
    expect(assign(before, order()).host.attempt).toBe(before.attempt);
    expect(assign(before, order({ fresh: true })).host.attempt).toBe(before.attempt);
  });
  test('with fresh bytes ordered only now begins anew', () => {
    const { host, superseded } = assign(hostWith({ attempt: {} }), order({ fresh: true }));
    expect(superseded).toMatchObject({ id: 'attempt-1', outcome: 'superseded', endedAt: NOW });
    expect(host.attempt).toMatchObject({ id: 'attempt-2', fresh: true });
  });
  test.each(['failed', 'rolled-back'] as const)('stays %s until a retry', (outcome) => {
    const before = hostWith({ attempt: { outcome, endedAt: NOW } });
    const { host, began, pending } = assign(before, order());
    expect(began).toBe(false);
    expect(host.attempt).toBe(before.attempt);
    expect(pending).toBe(before.attempt);
    expect(assign(before, order({ fresh: true })).began).toBe(true);
  });
  test.each(['succeeded', 'superseded'] as const)(
    'after an attempt that %s, with another image running, begins anew',
    (outcome) => {
      const { began, host } = assign(hostWith({ attempt: { outcome, endedAt: NOW } }), order());
      expect(began).toBe(true);
      expect(host.attempt?.id).toBe('attempt-2');
    },
  );
});

describe('an image that runs', () => {
  test('needs no attempt', () => {
    const { host, began, pending } = assign(hostWith(), order(toA));
    expect({ began, pending, attempt: host.attempt }).toEqual({ began: false, pending: null, attempt: null });
  });
  test.each(['failed', 'rolled-back', 'succeeded'] as const)('needs none after another one %s', (outcome) => {
    const before = hostWith({ attempt: { outcome, endedAt: NOW, digest: B } });
    const { began, pending, host } = assign(before, order(toA));
    expect({ began, pending }).toEqual({ began: false, pending: null });
    expect(host.attempt).toBe(before.attempt);
  });
  test('needs none although the attempt that brought it was not confirmed in time', () => {
    const before = hostWith({ attempt: { outcome: 'failed', endedAt: NOW, digest: A } });
    expect(assign(before, order(toA))).toMatchObject({ began: false, pending: null });
  });
  test.each(['pending', 'staging', 'staged'] as const)('ends a switch that is %s', (phase) => {
    const { host, superseded, pending } = assign(hostWith({ attempt: { phase } }), order(toA));
    expect(superseded).toMatchObject({ outcome: 'superseded', id: 'attempt-1' });
    expect(host.attempt).toBe(superseded);
    expect(pending).toBeNull();
  });
  test.each(['switching', 'confirming'] as const)(
    'is ordered anew while a jump is %s: nobody knows where it ends',
    (phase) => {
      const { host, superseded } = assign(hostWith({ attempt: { phase } }), order(toA));
      expect(superseded?.id).toBe('attempt-1');
      expect(host.attempt).toMatchObject({ id: 'attempt-2', kind: 'switch', digest: A });
    },
  );
  test('on trial is not one that runs', () => {
    const before = hostWith({ observation: { trial: true }, attempt: { phase: 'confirming', digest: B } });
    expect(assign(before, order(toA)).began).toBe(true);
  });
  test('is written once more when fresh bytes are ordered', () => {
    expect(assign(hostWith(), order({ ...toA, fresh: true })).host.attempt).toMatchObject({ fresh: true });
  });
});

describe('install or switch', () => {
  test('a machine that never spoke is installed; it may be wiped only if its enrolment says so', () => {
    const bare = (wipe: boolean) => assign(hostWith({ observation: null, enrolment: { wipe } }), order());
    expect(bare(false).host.attempt).toMatchObject({ kind: 'install', wipe: false, workBootId: null });
    expect(bare(true).host.attempt).toMatchObject({ kind: 'install', wipe: true });
  });
  test('a switch never has an order to wipe', () => {
    expect(assign(hostWith({ enrolment: { wipe: true } }), order()).host.attempt?.wipe).toBe(false);
  });
  test.each(['pending', 'claimed', 'writing'] as const)(
    'another image while an install is %s inherits its order',
    (phase) => {
      const before = hostWith({ attempt: { kind: 'install', phase, wipe: true } });
      const { host } = assign(before, order(toC));
      expect(host.attempt).toMatchObject({ kind: 'install', digest: C, wipe: true });
    },
  );
  test('another image after the install is a switch', () => {
    const slots = { a: { state: 'valid', digest: B } } as const;
    const before = hostWith({
      attempt: { kind: 'install', phase: 'installed' },
      observation: { environment: 'installer', slot: null, digest: null, slots },
    });
    expect(assign(before, order(toC)).host.attempt).toMatchObject({ kind: 'switch', digest: C, wipe: false });
  });
  test('a reinstall says itself whether it may wipe', () => {
    const before = hostWith({ enrolment: { wipe: true } });
    expect(start(before, order(), { wipe: false }).host.attempt).toMatchObject({
      kind: 'install',
      wipe: false,
    });
    expect(start(before, order(), { wipe: true }).host.attempt).toMatchObject({
      kind: 'install',
      wipe: true,
    });
  });
});

test('ordered back in the middle of a jump, the present boot is proof enough if the machine never left', () => {
  const jumping = hostWith({ attempt: { phase: 'switching' } });
  const { host } = assign(jumping, order(toA));
  expect(host.attempt).toMatchObject({ kind: 'switch', digest: A, workBootId: null });
  expect(assign(jumping, order({ ...toA, fresh: true })).host.attempt).toMatchObject({
    workBootId: 'boot-1',
  });
});
