import { type Attempt, type AttemptPhase, isOpen } from './attempt.ts';
import type { Host } from './host.ts';

/** The one word shown for a host. Derived from the three records at every look; nothing stores it. */
export const HOST_STATES = [
  'discovered',
  'ignored',
  'approved',
  'installing',
  'staging',
  'switching',
  'confirming',
  'active',
  'rolled-back',
  'failed',
  'hold',
  'retired',
  'unknown',
] as const;
export type HostState = (typeof HOST_STATES)[number];

const STATE_OF_PHASE = {
  pending: 'staging',
  staging: 'staging',
  staged: 'staging',
  claimed: 'installing',
  writing: 'installing',
  installed: 'switching',
  switching: 'switching',
  confirming: 'confirming',
} as const satisfies Record<AttemptPhase, HostState>;

/** The state of a machine that was heard of, while an attempt is open. */
export function phaseState({ kind, phase }: Pick<Attempt, 'kind' | 'phase'>) {
  return kind === 'install' && phase === 'pending' ? 'installing' : STATE_OF_PHASE[phase];
}

export function hostState({ enrolment, attempt, observation }: Host): HostState {
  if (enrolment.status !== 'approved') return enrolment.status;
  const waits = !isOpen(attempt) || attempt.phase === 'pending';
  if (enrolment.held !== null && waits) return 'hold';
  if (isOpen(attempt)) {
    const isUnheard = attempt.kind === 'install' && attempt.phase === 'pending' && observation === null;
    return isUnheard ? 'approved' : phaseState(attempt);
  }
  if (observation?.environment === 'os' && observation.trial) return 'confirming';
  if (enrolment.assignment === null) return 'approved';
  if (observation?.environment === 'os' && observation.digest === enrolment.assignment.digest)
    return 'active';
  const last = attempt?.digest === enrolment.assignment.digest ? attempt.outcome : null;
  if (last === 'failed' || last === 'rolled-back') return last;
  return observation === null ? 'unknown' : 'hold';
}
