import { describe, expect, test } from 'vitest';
import type { Attempt } from '../../server/core/attempt.ts';
import type { Observation } from '../../server/core/host.ts';
import { nextStep } from '../../server/core/next-step.ts';
import { A, B, C, hostWith } from '../fixtures/hosts.ts';

type Facts = Parameters<typeof hostWith>[0];
const step = (facts: Facts, slots = 2) => {
  const { action, slot, digest, attempt, reason } = nextStep(hostWith(facts), slots);
  return { action, slot, digest, attempt: attempt?.id ?? null, reason };
};
const installer: Partial<Observation> = {
  environment: 'installer',
  slot: null,
  digest: null,
  slots: {},
  disk: null,
};
const jumped: Partial<Observation> = { bootId: 'boot-2', slot: 'b', digest: B };
const holdsB = { a: { state: 'modified', digest: A }, b: { state: 'valid', digest: B } } as const;

describe('without an open attempt', () => {
  test.each<[string, Facts, string, string]>([
    ['retired', { enrolment: { status: 'retired' }, attempt: {} }, 'none', 'retired'],
    ['discovered', { enrolment: { status: 'discovered' } }, 'hold', 'approval'],
    ['ignored', { enrolment: { status: 'ignored' } }, 'none', 'boots its disk'],
    ['without an image', { enrolment: { assignment: null } }, 'none', 'no image'],
    [
      'with its image running',
      { enrolment: { assignment: { ref: 'a', digest: A } } },
      'none',
      'runs its image',
    ],
    ['with another image running', {}, 'hold', 'another image'],
    ['rolled back', { attempt: { outcome: 'rolled-back', reason: 'panic' } }, 'hold', 'rolled back: panic'],
    ['failed', { attempt: { outcome: 'failed', reason: 'bad disk' } }, 'hold', 'failed: bad disk'],
    [
      'gone back by itself, or by hand, after it was good',
      { attempt: { outcome: 'succeeded' }, observation: { wentBack: 'slot b was left by hand' } },
      'hold',
      'went back: slot b was left by hand',
    ],
    [
      'gone back from one image, and runs the one it shall',
      { enrolment: { assignment: { ref: 'a', digest: A } }, observation: { wentBack: 'x' } },
      'none',
      'runs its image',
    ],
    ['failed with an older image', { attempt: { outcome: 'failed', digest: C } }, 'hold', 'another image'],
    ['on trial', { observation: { trial: true } }, 'hold', 'slot a is on trial'],
  ])('a host that is %s', (_, facts, action, reason) => {
    const found = step(facts);
    expect(found).toMatchObject({ action, attempt: null, slot: 'a', digest: A });
    expect(found.reason).toContain(reason);
  });
});

describe('an install', () => {
  const install = (facts: Partial<Attempt>, seen: Partial<Observation> | null = installer) =>
    step({ attempt: { kind: 'install', workBootId: null, ...facts }, observation: seen });

  test.each(['pending', 'claimed', 'writing'] as const)(
    'that is %s is to be done, in the first slot',
    (phase) => {
      expect(install({ phase })).toMatchObject({
        action: 'install',
        slot: 'a',
        digest: B,
        attempt: 'attempt-1',
      });
      expect(install({ phase }, null)).toMatchObject({ action: 'install' });
    },
  );
  test.each(['installed', 'confirming'] as const)('that is %s is never done again', (phase) => {
    expect(install({ phase })).toMatchObject({ action: 'none', slot: 'a', attempt: 'attempt-1' });
    expect(install({ phase, fresh: true })).toMatchObject({ action: 'none' });
  });
  test('whose reports were lost is not done again once its image came up', () => {
    expect(install({ phase: 'writing' }, { bootId: 'boot-2', digest: B })).toMatchObject({ action: 'none' });
  });
  test('ordered while that very image runs is done', () => {
    const runsIt = { digest: B };
    expect(install({ workBootId: 'boot-1' }, runsIt)).toMatchObject({ action: 'install' });
    const cameBack = { bootId: 'boot-2', digest: B };
    expect(install({ workBootId: 'boot-1', fresh: true }, cameBack)).toMatchObject({ action: 'install' });
  });
});

describe('a switch', () => {
  const change = (facts: Partial<Attempt>, seen: Partial<Observation> | null = {}, slots = 2) =>
    step({ attempt: facts, observation: seen }, slots);

  test.each<[string, Partial<Attempt>, Partial<Observation> | null, string, string | null, string]>([
    ['nothing is known', {}, null, 'hold', null, 'what it runs'],
    ['the installer speaks', {}, { slot: null, digest: null }, 'hold', null, 'what it runs'],
    ['its disk is unknown', {}, { disk: null }, 'hold', 'a', 'which disk'],
    ['on trial', {}, { trial: true }, 'hold', 'a', 'on trial'],
    ['another slot is empty', {}, {}, 'stage', 'b', 'written to slot b'],
    ['another slot holds it', {}, { slots: holdsB }, 'switch', 'b', 'slot b holds'],
    [
      'another slot has run it',
      {},
      { slots: { ...holdsB, b: { state: 'modified', digest: B } } },
      'switch',
      'b',
      'slot b holds',
    ],
    [
      'the writing broke off',
      { phase: 'staging' },
      { slots: { ...holdsB, b: { state: 'invalid', digest: B } } },
      'stage',
      'b',
      'written',
    ],
    ['it is staged', { phase: 'staged' }, { slots: holdsB }, 'switch', 'b', 'holds'],
    ['kexec did not happen', { phase: 'switching' }, { slots: holdsB }, 'switch', 'b', 'holds'],
    ['it came up', { phase: 'switching' }, jumped, 'none', 'b', 'prove itself'],
    ['it came up, unannounced', { phase: 'staged' }, jumped, 'none', 'b', 'prove itself'],
    [
      'it came back',
      { phase: 'switching' },
      { bootId: 'boot-2', slots: holdsB },
      'hold',
      'a',
      'without a word',
    ],
    ['fresh bytes are ordered', { fresh: true }, { slots: holdsB }, 'stage', 'b', 'written'],
    ['fresh bytes are there', { fresh: true, phase: 'staged' }, { slots: holdsB }, 'switch', 'b', 'holds'],
    ['fresh bytes of what runs are ordered', { fresh: true, digest: A }, {}, 'stage', 'b', 'written'],
    ['the other slot is the default', {}, { bootDefault: 'b' }, 'hold', 'a', 'every slot'],
  ])('when %s', (_, facts, seen, action, slot, reason) => {
    const found = change(facts, seen);
    expect(found).toMatchObject({ action, slot, attempt: 'attempt-1' });
    expect(found.reason).toContain(reason);
  });

  test('takes a slot without an image before one whose image would be lost', () => {
    const slots = { ...holdsB, b: { state: 'valid', digest: C } } as const;
    expect(change({}, { slots }, 3)).toMatchObject({ action: 'stage', slot: 'c' });
    expect(change({}, { slots }, 2)).toMatchObject({ action: 'stage', slot: 'b' });
  });
  test('asked twice it answers the same', () => {
    const host = hostWith({ attempt: {}, observation: { slots: holdsB } });
    expect(nextStep(host, 2)).toEqual(nextStep(structuredClone(host), 2));
  });
});
