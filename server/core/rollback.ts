import { type Assigned, assign, type Order, start } from './assign.ts';
import { type Attempt, isOpen } from './attempt.ts';
import { WarmbootError } from './errors.ts';
import type { Assignment, Host } from './host.ts';

/**
 * The image that a host ran before the one it runs, or is on the way to. Asked in this order, for the machine knows best:
 * 1. what runs while an order is open; of a trial, the boot default
 * 2. the image of the last attempt that succeeded with another image
 * 3. another slot that has been run, unless its image failed last
 * @param attempts all of the host, oldest first
 */
export function previousImage(host: Host, attempts: readonly Attempt[]): Assignment | null {
  const { enrolment, attempt, observation } = host;
  const running = observation?.environment === 'os' ? observation.digest : null;
  const left = isOpen(attempt) ? attempt.digest : (running ?? enrolment.assignment?.digest ?? null);
  const named = (digest: Assignment['digest']): Assignment => ({
    ref: attempts.findLast((each) => each.digest === digest)?.ref ?? digest,
    digest,
  });

  const slots = observation?.slots ?? {};
  const stays = observation?.trial ? (slots[observation.bootDefault ?? '']?.digest ?? null) : running;
  if (stays !== null && stays !== left) return named(stays);
  const proven = attempts.findLast(({ outcome, digest }) => outcome === 'succeeded' && digest !== left);
  if (proven) return { ref: proven.ref, digest: proven.digest };
  const hasRun = Object.values(slots).find(
    ({ state, digest }) =>
      state === 'modified' && digest !== null && digest !== left && !hasFailed(attempts, digest),
  );
  return hasRun?.digest ? named(hasRun.digest) : null;
}

function hasFailed(attempts: readonly Attempt[], digest: Assignment['digest']): boolean {
  const outcome = attempts.findLast((each) => each.digest === digest)?.outcome;
  return outcome === 'failed' || outcome === 'rolled-back';
}

/**
 * Orders a host back to the image that it ran before. A slot that still holds it is used; nothing is ever installed for it.
 * @throws WarmbootError `conflict` where it cannot be done that way
 */
export function rollBack(host: Host, order: Order): Assigned {
  const assigned = assign(host, order);
  const isBegun = assigned.began || assigned.pending === null || isOpen(assigned.pending);
  const back = isBegun ? assigned : start(host, order);
  if (back.pending?.kind === 'install')
    throw new WarmbootError(
      'conflict',
      'The host has no system to go back to, as far as is known. Order a reinstall, or give it an image.',
    );
  return back;
}
