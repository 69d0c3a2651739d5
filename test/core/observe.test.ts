import { expect, test } from 'vitest';
import { observe } from '../../server/core/observe.ts';
import { A, B, DISK, hostWith, NOW, reportWith } from '../fixtures/hosts.ts';

const EMPTY = { state: 'empty', digest: null } as const;

test.each([
  ['inventory', 'install', 'installer'],
  ['progress', 'install', 'installer'],
  ['progress', 'switch', 'os'],
  ['failed', 'install', 'installer'],
  ['failed', 'switch', 'os'],
  ['installed', 'install', 'installer'],
  ['booted', 'install', 'os'],
  ['rolled-back', 'switch', 'os'],
] as const)('a boot that opens with %s during an %s speaks from the %s', (kind, attemptKind, environment) => {
  const host = hostWith({ attempt: { kind: attemptKind } });
  const seen = observe(host, reportWith({ kind, bootId: 'boot-2' }), NOW);
  expect(seen).toMatchObject({ environment, slot: null, digest: null, at: NOW });
});

test('within a boot what runs stays what it was said to be', () => {
  const seen = observe(hostWith(), reportWith({ kind: 'progress' }), NOW);
  expect(seen).toMatchObject({
    environment: 'os',
    slot: 'a',
    digest: A,
    bootDefault: 'a',
    disk: DISK,
    seq: 2,
  });
});

test('a slot that was written is known without being listed', () => {
  const staged = observe(hostWith(), reportWith({ kind: 'staged', slot: 'b', digest: B }), NOW);
  expect(staged.slots).toEqual({ a: { state: 'modified', digest: A }, b: { state: 'valid', digest: B } });
  const listed = reportWith({
    kind: 'staged',
    slot: 'b',
    digest: B,
    slots: { b: { state: 'invalid', digest: null } },
  });
  expect(observe(hostWith(), listed, NOW).slots.b).toEqual({ state: 'invalid', digest: null });
});

test('an install writes a new table: what other slots held before is gone', () => {
  const slots = { a: { state: 'modified', digest: A }, b: { state: 'valid', digest: B } } as const;
  const host = hostWith({ observation: { slots } });
  const seen = observe(host, reportWith({ kind: 'installed', slot: 'a', digest: B }), NOW);
  expect(seen.slots).toEqual({ a: { state: 'valid', digest: B } });
  expect(seen.bootDefault).toBe('a');
});

test('why it went back is known for as long as it runs what it went back to', () => {
  const reason = 'slot b was left by hand';
  const booted = { kind: 'booted', slot: 'a', digest: A } as const;
  const onB = hostWith({ observation: { slot: 'b', digest: B, bootId: 'boot-0' } });
  const after = (observation: ReturnType<typeof observe>, report: Parameters<typeof reportWith>[0]) =>
    observe({ ...onB, observation }, reportWith(report), NOW);
  const back = observe(onB, reportWith({ kind: 'rolled-back', slot: 'a', digest: A, reason }), NOW);
  const still = [
    { ...booted, seq: 3 },
    { ...booted, bootId: 'boot-2', seq: 1 },
    { kind: 'progress', bootId: 'boot-2' },
  ] as const;
  const over = [
    { kind: 'confirmed', slot: 'a', digest: A },
    { kind: 'installed', slot: 'a', digest: A },
    { ...booted, bootId: 'boot-2', digest: B },
  ] as const;
  expect(back.wentBack).toBe(reason);
  expect(still.map((report) => after(back, report).wentBack)).toEqual(still.map(() => reason));
  expect(over.map((report) => after(back, report).wentBack)).toEqual(over.map(() => null));
});

test('a disk that takes no writes: as said last, and forgotten by a boot that does not say it', () => {
  const after = (before: boolean, report: Parameters<typeof reportWith>[0]) =>
    observe(hostWith({ observation: { readOnly: before } }), reportWith(report), NOW).readOnly;
  expect(after(false, { kind: 'booted', readOnly: true })).toBe(true);
  expect(after(true, { kind: 'progress' })).toBe(true);
  expect(after(true, { kind: 'failed', readOnly: false })).toBe(false);
  expect(after(true, { kind: 'booted', bootId: 'boot-2' })).toBe(false);
});

test('the first word of a machine is taken as it is', () => {
  const host = hostWith({ observation: null });
  const seen = observe(host, reportWith({ kind: 'inventory', slots: { a: EMPTY } }), NOW);
  expect(seen).toEqual({
    bootId: 'boot-1',
    seq: 2,
    environment: 'installer',
    slot: null,
    digest: null,
    bootDefault: null,
    slots: { a: EMPTY },
    disk: null,
    trial: false,
    wentBack: null,
    readOnly: false,
    at: NOW,
  });
});

test('confirmed ends a trial whatever its flag says', () => {
  const host = hostWith({ observation: { trial: true } });
  expect(observe(host, reportWith({ kind: 'confirmed', trial: true }), NOW).trial).toBe(false);
});
