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
    at: NOW,
  });
});

test('confirmed ends a trial whatever its flag says', () => {
  const host = hostWith({ observation: { trial: true } });
  expect(observe(host, reportWith({ kind: 'confirmed', trial: true }), NOW).trial).toBe(false);
});
