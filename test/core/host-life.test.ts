import { beforeEach, describe, expect, test } from 'vitest';
import { hostState } from '../../server/core/host-state.ts';
import { nextStep } from '../../server/core/next-step.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { A, B, DISK } from '../fixtures/hosts.ts';
import { SimulatedHost } from '../fixtures/simulated-fleet.ts';

let machine: SimulatedHost;
const told = () => {
  const { action, slot } = nextStep(machine.host, 2);
  return [hostState(machine.host), action, slot];
};
const EMPTY = { state: 'empty', digest: null } as const;
const slotsAfterInstall = { a: { state: 'modified', digest: A }, b: EMPTY } as const;

/** Enrols and installs image a: boot-1 is the installer, boot-2 the OS. */
function install(): void {
  machine.put('a');
  machine.claim('token');
  machine.report({ kind: 'inventory', seq: 1 });
  machine.report({ kind: 'progress', seq: 2, phase: 'write', bytesDone: 1, bytesTotal: 2 });
  machine.report({ kind: 'installed', seq: 3, slot: 'a', digest: A, disk: DISK });
  const up = {
    slot: 'a',
    digest: A,
    bootDefault: 'a',
    bootId: 'boot-2',
    slots: slotsAfterInstall,
    disk: DISK,
  } as const;
  machine.report({ kind: 'booted', seq: 1, ...up });
  machine.report({ kind: 'confirmed', seq: 2, ...up });
}

beforeEach(() => {
  machine = new SimulatedHost();
});

test('the life that the demo shows', () => {
  machine.put('a');
  expect(told()).toEqual(['approved', 'install', 'a']);
  expect(machine.claim('token')).toBe(true);
  expect(machine.claim('other')).toBe(false);
  machine.report({ kind: 'inventory', seq: 1, slots: {} });
  expect(told()).toEqual(['installing', 'install', 'a']);
  machine.report({ kind: 'progress', seq: 2, phase: 'write', bytesDone: 1, bytesTotal: 2 });
  expect(told()).toEqual(['installing', 'install', 'a']);
  machine.report({ kind: 'installed', seq: 3, slot: 'a', digest: A, disk: DISK });
  expect(told()).toEqual(['switching', 'none', 'a']);
  machine.report({
    kind: 'booted',
    bootId: 'boot-2',
    seq: 1,
    slot: 'a',
    digest: A,
    bootDefault: 'a',
    slots: slotsAfterInstall,
  });
  expect(told()).toEqual(['confirming', 'none', 'a']);
  machine.report({ kind: 'confirmed', bootId: 'boot-2', seq: 2, slot: 'a', digest: A, bootDefault: 'a' });
  expect(told()).toEqual(['active', 'none', 'a']);

  const first = machine.put('b');
  expect(told()).toEqual(['staging', 'stage', 'b']);
  expect(machine.put('b').pending?.id).toBe(first.host.attempt?.id);
  machine.report({ kind: 'progress', bootId: 'boot-2', seq: 3, phase: 'write', bytesDone: 1, bytesTotal: 2 });
  expect(told()).toEqual(['staging', 'stage', 'b']);
  machine.report({ kind: 'staged', bootId: 'boot-2', seq: 4, slot: 'b', digest: B });
  expect(told()).toEqual(['staging', 'switch', 'b']);
  machine.report({ kind: 'switching', bootId: 'boot-2', seq: 5, slot: 'b', digest: B });
  expect(told()).toEqual(['switching', 'switch', 'b']);
  const both = { a: { state: 'modified', digest: A }, b: { state: 'modified', digest: B } } as const;
  const trial = { slot: 'b', digest: B, bootId: 'boot-3', slots: both } as const;
  machine.report({ kind: 'booted', seq: 1, bootDefault: 'a', trial: true, ...trial });
  expect(told()).toEqual(['confirming', 'hold', 'b']);
  machine.report({ kind: 'confirmed', seq: 2, bootDefault: 'b', ...trial });
  expect(told()).toEqual(['active', 'none', 'b']);

  machine.put('a');
  expect(told()).toEqual(['staging', 'switch', 'a']);
  machine.report({ kind: 'switching', bootId: 'boot-3', seq: 3, slot: 'a', digest: A });
  const back = { slot: 'a', digest: A, bootId: 'boot-4', slots: both } as const;
  machine.report({ kind: 'booted', seq: 1, bootDefault: 'b', trial: true, ...back });
  machine.report({ kind: 'confirmed', seq: 2, bootDefault: 'a', ...back });
  expect(told()).toEqual(['active', 'none', 'a']);
  expect([...machine.attempts.values()].map(({ kind, outcome }) => [kind, outcome])).toEqual([
    ['install', 'succeeded'],
    ['switch', 'succeeded'],
    ['switch', 'succeeded'],
  ]);
});

describe('an install whose words are lost', () => {
  test.each([
    ['with its attempt named', 'attempt-1'],
    ['without', null],
  ])('is not done twice once the OS came up, %s', (_, attempt) => {
    machine.put('a');
    machine.claim('token');
    machine.report({ kind: 'progress', seq: 2, phase: 'write' });
    machine.report({ kind: 'booted', bootId: 'boot-2', seq: 1, slot: 'a', digest: A, disk: DISK, attempt });
    expect(nextStep(machine.host, 2).action).toBe('none');
    machine.report({
      kind: 'booted',
      bootId: 'boot-3',
      seq: 1,
      slot: 'a',
      digest: A,
      disk: DISK,
      attempt: null,
    });
    expect(nextStep(machine.host, 2).action).toBe('none');
  });
  test('a power cycle while it is written begins it again, without another attempt', () => {
    machine.put('a');
    machine.claim('token');
    machine.report({ kind: 'progress', seq: 2, phase: 'write' });
    machine.report({
      kind: 'inventory',
      bootId: 'boot-9',
      seq: 1,
      slots: { a: { state: 'invalid', digest: null } },
    });
    expect(told()).toEqual(['installing', 'install', 'a']);
    expect(machine.attempts.size).toBe(1);
  });
});

describe('a reinstall of the image that runs', () => {
  beforeEach(() => {
    install();
    machine.reinstall('a', false);
  });
  test('is not done when the machine came up from its old disk', () => {
    const up = { slot: 'a', digest: A, bootDefault: 'a', bootId: 'boot-5', disk: DISK } as const;
    machine.report({ kind: 'booted', seq: 1, attempt: null, ...up });
    machine.report({ kind: 'booted', seq: 2, attempt: 'attempt-1', ...up });
    expect(machine.attempt).toMatchObject({ phase: 'pending', outcome: null });
    expect(nextStep(machine.host, 2).action).toBe('install');
  });
  test('is done by the installer and proven by another boot', () => {
    machine.report({ kind: 'inventory', bootId: 'boot-5', seq: 1 });
    expect(nextStep(machine.host, 2)).toMatchObject({ action: 'install', slot: 'a' });
    machine.report({ kind: 'installed', bootId: 'boot-5', seq: 2, slot: 'a', digest: A });
    const up = { slot: 'a', digest: A, bootDefault: 'a', bootId: 'boot-6' } as const;
    machine.report({ kind: 'booted', seq: 1, ...up });
    machine.report({ kind: 'confirmed', seq: 2, ...up });
    expect(told()).toEqual(['active', 'none', 'a']);
  });
});

describe('a switch that ends elsewhere', () => {
  beforeEach(() => {
    install();
    machine.put('b');
    machine.report({ kind: 'staged', bootId: 'boot-2', seq: 4, slot: 'b', digest: B });
  });
  const old = { slot: 'a', digest: A, bootDefault: 'a', bootId: 'boot-3' } as const;

  test('a rollback holds until the operator says otherwise', () => {
    machine.report({ kind: 'switching', bootId: 'boot-2', seq: 5, slot: 'b', digest: B });
    machine.report({ kind: 'rolled-back', seq: 1, reason: 'panic', ...old });
    expect(told()).toEqual(['rolled-back', 'hold', 'a']);
    expect(machine.put('b').pending?.outcome).toBe('rolled-back');
    expect(told()).toEqual(['rolled-back', 'hold', 'a']);
    expect(machine.put('a').pending).toBeNull();
    expect(told()).toEqual(['active', 'none', 'a']);
    expect(machine.put('b', true).began).toBe(true);
    expect(told()).toEqual(['staging', 'stage', 'b']);
  });
  test('a power cycle before the jump goes on where it was', () => {
    machine.report({ kind: 'booted', seq: 1, attempt: null, ...old });
    expect(told()).toEqual(['staging', 'switch', 'b']);
  });
  test('a machine that never came back has failed', () => {
    machine.report({ kind: 'switching', bootId: 'boot-2', seq: 5, slot: 'b', digest: B });
    machine.tick(PATIENCE.jumpMs);
    expect(machine.attempt).toMatchObject({ outcome: 'failed' });
    expect(told()).toEqual(['failed', 'hold', 'a']);
    const verdict = machine.report({
      kind: 'confirmed',
      bootId: 'boot-3',
      seq: 1,
      slot: 'b',
      digest: B,
      bootDefault: 'b',
    });
    expect(verdict).toBe('stale');
    expect(machine.attempt).toMatchObject({ outcome: 'failed' });
    expect(told()).toEqual(['active', 'none', 'b']);
  });
  test('one that was called off is not under way any more; ordered again it is', () => {
    expect(machine.put('a').superseded?.outcome).toBe('superseded');
    expect(told()).toEqual(['active', 'none', 'a']);
    const again = machine.put('b');
    expect(again.began).toBe(true);
    expect(told()).toEqual(['staging', 'switch', 'b']);
  });
  test('called off while it jumps, the machine is brought back', () => {
    machine.report({ kind: 'switching', bootId: 'boot-2', seq: 5, slot: 'b', digest: B });
    machine.put('a');
    const up = { slot: 'b', digest: B, bootId: 'boot-3', attempt: 'attempt-2' } as const;
    machine.report({ kind: 'booted', seq: 1, bootDefault: 'a', trial: true, ...up });
    expect(told()).toEqual(['staging', 'hold', 'b']);
    machine.report({ kind: 'confirmed', seq: 2, bootDefault: 'b', ...up });
    expect(told()).toEqual(['staging', 'switch', 'a']);
    expect(machine.attempt?.outcome).toBeNull();
  });
});
