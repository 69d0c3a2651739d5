import { expect, test } from 'vitest';
import { begin, end, hasReached, isOpen, PHASES } from '../../server/core/attempt.ts';
import { attempt, NOW } from '../fixtures/hosts.ts';

test.each(['install', 'switch'] as const)('the phases of an %s have an order', (kind) => {
  for (const [at, phase] of PHASES[kind].entries()) {
    const now = attempt({ kind, phase });
    expect(PHASES[kind].map((next) => hasReached(now, next))).toEqual(
      PHASES[kind].map((_, next) => next <= at),
    );
  }
});

test('a new attempt is open, pending and in no hurry', () => {
  const { id, hostId, kind, digest, ref, cause, rolloutId, wipe, fresh, workBootId } = attempt({});
  const facts = { id, hostId, kind, digest, ref, cause, rolloutId, wipe, fresh, workBootId };
  const begun = begin(facts, NOW);
  expect(begun).toMatchObject({ ...facts, phase: 'pending', outcome: null, deadline: null, createdAt: NOW });
  expect(isOpen(begun)).toBe(true);
  const ended = end(begun, 'failed', 'why', NOW + 1);
  expect(ended).toMatchObject({ outcome: 'failed', reason: 'why', endedAt: NOW + 1, deadline: null });
  expect(isOpen(ended)).toBe(false);
  expect(isOpen(null)).toBe(false);
});
