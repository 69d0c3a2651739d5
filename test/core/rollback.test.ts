import { describe, expect, test } from 'vitest';
import type { Attempt } from '../../server/core/attempt.ts';
import { previousImage, rollBack } from '../../server/core/rollback.ts';
import { A, attempt, B, C, hostWith, NOW } from '../fixtures/hosts.ts';

const ended = (outcome: NonNullable<Attempt['outcome']>, digest: Attempt['digest'], ref: string) =>
  attempt({ id: ref, digest, ref, outcome, endedAt: NOW });
const SLOTS = { a: { state: 'modified', digest: A }, b: { state: 'modified', digest: B } } as const;
const runsB = { observation: { slot: 'b', digest: B, bootDefault: 'b', slots: SLOTS } } as const;

describe('which image a host ran before', () => {
  test('that of the last attempt that succeeded with another image', () => {
    const host = hostWith({ ...runsB, attempt: { outcome: 'succeeded', endedAt: NOW } });
    const history = [
      ended('succeeded', A, 'image-a'),
      ended('failed', C, 'image-c'),
      ended('succeeded', B, 'b'),
    ];
    expect(previousImage(host, history)).toEqual({ ref: 'image-a', digest: A });
  });
  test('what runs, while another image is on its way', () => {
    expect(previousImage(hostWith({ attempt: { phase: 'staging' } }), [])).toMatchObject({ digest: A });
  });
  test('of a trial, the boot default', () => {
    const trial = {
      bootId: 'boot-2',
      slot: 'b',
      digest: B,
      bootDefault: 'a',
      trial: true,
      slots: SLOTS,
    } as const;
    const host = hostWith({ attempt: { phase: 'confirming' }, observation: trial });
    expect(previousImage(host, [ended('succeeded', C, 'c')])).toMatchObject({ digest: A });
  });
  test('without history another slot that has run, unless its image failed last', () => {
    const host = hostWith(runsB);
    expect(previousImage(host, [])).toEqual({ ref: A, digest: A });
    expect(previousImage(host, [ended('rolled-back', A, 'image-a')])).toBeNull();
  });
  test('a slot that was written and never run is none', () => {
    const slots = { ...SLOTS, a: { state: 'valid', digest: A } } as const;
    expect(previousImage(hostWith({ observation: { ...runsB.observation, slots } }), [])).toBeNull();
    expect(previousImage(hostWith({ observation: null }), [])).toBeNull();
  });
});

describe('the order', () => {
  const order = (digest: Attempt['digest']) => ({
    attemptId: 'attempt-2',
    target: { ref: 'before', digest },
    cause: 'operator: rollback',
    fresh: false,
    now: NOW,
  });
  test('is a switch to the slot that holds it', () => {
    const { host } = rollBack(hostWith(runsB), order(A));
    expect(host.attempt).toMatchObject({ kind: 'switch', digest: A, fresh: false, outcome: null });
  });
  test('begins also where the last attempt for that image failed', () => {
    const host = hostWith({ ...runsB, attempt: { digest: A, outcome: 'failed', endedAt: NOW } });
    expect(rollBack(host, order(A)).began).toBe(true);
  });
  test('is never an install', () => {
    expect(() => rollBack(hostWith({ observation: null }), order(A))).toThrow('no system to go back to');
  });
});
