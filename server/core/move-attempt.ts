import { type Attempt, type AttemptPhase, end, type OpenAttempt, PHASES } from './attempt.ts';
import { type AttemptFacts, type AttemptMove, type AttemptTrigger, attemptMove } from './attempt-moves.ts';
import { deadlineAfter, type Patience } from './patience.ts';

/** The attempt after what happened, the same object where nothing moved; the table's verdict, and its words. */
export type MovedAttempt = {
  readonly attempt: Attempt;
  readonly to: AttemptMove['to'];
  readonly why: string;
};

/**
 * The only way in which an open attempt changes: by a line of the table of moves.
 * @param work what the report says besides of the attempt; written where the move is made
 * @param said the words for its end, where there are better ones than the table's
 */
export function moveAttempt(
  attempt: OpenAttempt,
  on: AttemptTrigger,
  facts: AttemptFacts & { readonly patience: Patience },
  work: Partial<Pick<Attempt, 'workBootId' | 'workDisk' | 'progress'>> = {},
  said: string | null = null,
): MovedAttempt {
  const { to, reason } = attemptMove(attempt, on, facts);
  const { now, patience } = facts;
  if (to === 'refused' || to === 'unmoved') return { attempt, to, why: reason };
  if (to === 'lapsed') return { attempt: { ...attempt, deadline: null }, to, why: reason };
  if (to === 'power-cycle') {
    const deadline = deadlineAfter(attempt.phase, now, patience);
    return { attempt: { ...attempt, power: 'queued', deadline }, to, why: reason };
  }
  if (isPhase(to) || to === 'stays') {
    const phase = to === 'stays' ? attempt.phase : to;
    const isNew = phase !== attempt.phase || on === 'claim';
    const next = isNew ? { phase, phaseAt: now, reason } : {};
    const deadline = deadlineAfter(phase, now, patience);
    return { attempt: { ...attempt, ...next, ...work, deadline }, to, why: reason };
  }
  const why = said || reason;
  return { attempt: end(attempt, to, why, now), to, why };
}

/** An operator's word ends what is open. @param why what took its place */
export function supersede(attempt: OpenAttempt, on: 'order' | 'retire', now: number, why?: string): Attempt {
  const { to, reason } = attemptMove(attempt, on, { now });
  if (to !== 'superseded') throw new Error(`${on} does not end an attempt.`);
  return end(attempt, to, why ?? reason, now);
}

function isPhase(to: string): to is AttemptPhase {
  return Object.values(PHASES).some((phases) => (phases as readonly string[]).includes(to));
}
