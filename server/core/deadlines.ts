import { isOpen } from './attempt.ts';
import { moveClaim } from './claim.ts';
import type { Host } from './host.ts';
import { moveAttempt } from './move-attempt.ts';
import { type Patience, patienceWith } from './patience.ts';

/**
 * What a passed deadline means for a host. Pure: the ticker asks, and writes what comes back.
 * @param hasPowerHook somebody can cycle the power of a machine that did not come back from its jump
 */
export function expire(
  host: Host,
  now: number,
  patience: Patience,
  hasPowerHook = false,
): { readonly host: Host; readonly why: string } | null {
  const { attempt, enrolment } = host;
  if (!isOpen(attempt) || attempt.deadline === null || attempt.deadline > now) return null;
  const {
    attempt: after,
    to,
    why,
  } = moveAttempt(attempt, 'deadline', {
    now,
    patience: patienceWith(enrolment, patience),
    claim: enrolment.claim,
    hasPowerHook,
    isHeld: enrolment.held !== null,
  });
  if (to === 'lapsed') return { host: { ...moveClaim(host, 'silence').host, attempt: after }, why };
  // Looked at once more when the time to write is over, which counts from the claim.
  if (to === 'stays' && attempt.phase === 'claimed' && now < attempt.phaseAt + patience.writeMs)
    return { host: { ...host, attempt: { ...after, deadline: attempt.phaseAt + patience.writeMs } }, why };
  return { host: { ...host, attempt: after }, why };
}
