import { type Attempt, type AttemptPhase, end, isOpen } from './attempt.ts';
import type { Host } from './host.ts';

/** How long each phase may take without a word, in milliseconds. */
export type Patience = {
  /** A claim that no report follows is released, so that an installer which lost its token can claim again. */
  readonly claimMs: number;
  /** Writing an image, counted from the last progress. */
  readonly writeMs: number;
  /** From the word "I jump" to the word "I am up": trial, a firmware POST of 20 minutes, and some. */
  readonly jumpMs: number;
};

export const PATIENCE: Patience = { claimMs: 3 * 60_000, writeMs: 60 * 60_000, jumpMs: 45 * 60_000 };

/** When an attempt that has just moved to `phase` shall be looked at again; null: it may wait for ever. */
export function deadlineAfter(phase: AttemptPhase, now: number, patience: Patience): number | null {
  switch (phase) {
    case 'pending':
    // A pre-switch hook may postpone the jump for as long as production needs the machine.
    case 'staged':
      return null;
    case 'claimed':
      return now + patience.claimMs;
    case 'writing':
    case 'staging':
      return now + patience.writeMs;
    case 'installed':
    case 'switching':
    case 'confirming':
      return now + patience.jumpMs;
    default:
      return phase satisfies never;
  }
}

/** What a passed deadline means for a host. Pure: the ticker asks, and writes what comes back. */
export function expire(
  host: Host,
  now: number,
  patience: Patience,
): { readonly host: Host; readonly why: string } | null {
  const { attempt, enrolment } = host;
  if (!isOpen(attempt) || attempt.deadline === null || attempt.deadline > now) return null;
  const { claim } = enrolment;
  if (attempt.phase === 'claimed' && claim?.claimedFor === attempt.id && !claim.used) {
    const released = {
      ...host,
      enrolment: { ...enrolment, claim: null },
      attempt: { ...attempt, deadline: null },
    };
    return { host: released, why: 'the claim was released: no report followed it' };
  }
  const mayWriteUntil = attempt.phaseAt + patience.writeMs;
  if (attempt.phase === 'claimed' && now < mayWriteUntil)
    return {
      host: { ...host, attempt: { ...attempt, deadline: mayWriteUntil } },
      why: 'reports, but writes nothing yet',
    };
  return { host: { ...host, attempt: end(attempt, 'failed', silence(attempt), now) }, why: silence(attempt) };
}

function silence(attempt: Attempt): string {
  switch (attempt.phase) {
    case 'installed':
    case 'switching':
      return 'the host said that it jumps and did not come back in time';
    case 'confirming':
      return 'the image started and was not confirmed in time';
    default:
      return `nothing was heard of it while it was ${attempt.phase}`;
  }
}
