import { isOpen } from './attempt.ts';
import { moveEnrolment } from './enrolment-moves.ts';
import type { Host } from './host.ts';
import { supersede } from './move-attempt.ts';

/**
 * Takes a host out of service. What it said last is kept to be read; what it should do is not. Its token is
 * worth nothing, by the table of enrolments, until it is approved again: then it is the same machine, and nobody else.
 * @returns the same host when it is retired already
 * @throws WarmbootError `conflict` for a machine that never took part
 */
export function retire(host: Host, now: number): Host {
  const enrolment = moveEnrolment(host.enrolment, 'retire');
  if (enrolment === host.enrolment) return host;
  return {
    ...host,
    enrolment: { ...enrolment, assignment: null, held: null },
    attempt: isOpen(host.attempt) ? supersede(host.attempt, 'retire', now) : host.attempt,
  };
}
