import { isOpen } from './attempt.ts';
import { moveClaim } from './claim.ts';
import { WarmbootError } from './errors.ts';
import type { Host } from './host.ts';

/**
 * Takes a host's token away: nobody speaks for it from now on, also not with that token, until an install claims it with
 * another one. An install that was claimed and has written nothing waits for its next claim, for as long as that takes.
 * @throws WarmbootError `conflict` when nobody holds the host
 */
export function release(host: Host): Host {
  const { host: released, move } = moveClaim(host, 'release');
  if (move.to === 'refused') throw new WarmbootError('conflict', move.reason);
  const { attempt, enrolment } = host;
  const waits = isOpen(attempt) && attempt.phase === 'claimed' && enrolment.claim?.claimedFor === attempt.id;
  return waits ? { ...released, attempt: { ...attempt, deadline: null } } : released;
}
