import { isJumping, isOpen } from './attempt.ts';
import type { Host } from './host.ts';
import { type Patience, patienceWith } from './patience.ts';

/**
 * The power cycle that is queued begins, and is written down before it does. The machine gets time to come up.
 * @returns null when none is queued
 */
export function beginPowerCycle(host: Host, now: number, patience: Patience): Host | null {
  const { attempt, enrolment } = host;
  if (!isOpen(attempt) || attempt.power !== 'queued' || !isJumping(attempt) || enrolment.held) return null;
  const deadline = now + patienceWith(enrolment, patience).jumpMs;
  return { ...host, attempt: { ...attempt, power: 'begun', deadline } };
}

/** The host came back by itself before its turn came, or an operator holds it; null where that is not so. */
export function sparePowerCycle(host: Host): Host | null {
  const { attempt, enrolment } = host;
  if (!isOpen(attempt) || attempt.power !== 'queued') return null;
  if (isJumping(attempt) && !enrolment.held) return null;
  return { ...host, attempt: { ...attempt, power: null } };
}

/**
 * The hook has ended. Where it failed it may have done its work all the same: the machine gets its time in either case.
 * @returns null when the attempt has ended meanwhile
 */
export function endPowerCycle(host: Host, ok: boolean, now: number, patience: Patience): Host | null {
  const { attempt, enrolment } = host;
  if (!isOpen(attempt) || attempt.power !== 'begun') return null;
  const deadline = isJumping(attempt) ? now + patienceWith(enrolment, patience).jumpMs : attempt.deadline;
  return { ...host, attempt: { ...attempt, power: ok ? 'done' : 'failed', deadline } };
}
