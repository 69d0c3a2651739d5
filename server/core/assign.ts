import { type Attempt, begin, hasReached, isOpen } from './attempt.ts';
import { requireMove } from './enrolment-moves.ts';
import type { Assignment, Host, Observation } from './host.ts';
import { supersede } from './move-attempt.ts';

export type Order = {
  /** Id for the attempt, should one begin. */
  readonly attemptId: string;
  readonly target: Assignment;
  readonly cause: string;
  /** Left out: no rollout ordered it. */
  readonly rolloutId?: string;
  readonly fresh: boolean;
  readonly now: number;
};

export type Assigned = {
  readonly host: Host;
  /** An attempt that had to end for it. */
  readonly superseded: Attempt | null;
  /** False when the call changed nothing but perhaps the name written in the assignment. */
  readonly began: boolean;
  /** The attempt that stands for the order: begun, under way, or failed until a retry. Null: the target runs. */
  readonly pending: Attempt | null;
};

/**
 * Gives a host another image. The same target again is the same attempt; a target that runs already needs none,
 * unless the machine is in the middle of a jump and nobody knows where it will come up.
 */
export function assign(host: Host, order: Order): Assigned {
  const { enrolment, attempt, observation } = host;
  requireMove(enrolment, 'order');
  const assigned: Host = { ...host, enrolment: { ...enrolment, assignment: order.target } };
  const { digest } = order.target;
  const open = isOpen(attempt) ? attempt : null;

  if (open?.digest === digest && (open.fresh || !order.fresh))
    return { host: assigned, superseded: null, began: false, pending: open };
  const isJumping = open !== null && hasReached(open, open.kind === 'install' ? 'installed' : 'switching');
  const runsIt = observation?.environment === 'os' && observation.digest === digest && !observation.trial;
  if (runsIt && !isJumping && !order.fresh) {
    const superseded = open
      ? supersede(open, 'order', order.now, `${order.target.ref} was assigned, which runs`)
      : null;
    return { host: { ...assigned, attempt: superseded ?? attempt }, superseded, began: false, pending: null };
  }
  const hasFailed = attempt?.outcome === 'failed' || attempt?.outcome === 'rolled-back';
  if (hasFailed && attempt.digest === digest && !order.fresh)
    return { host: assigned, superseded: null, began: false, pending: attempt };
  return start(assigned, order);
}

/** Begins an attempt whatever was before: `retry`, `assign --fresh`, a new target. */
export function start(host: Host, order: Order, reinstall?: { readonly wipe: boolean }): Assigned {
  const { enrolment, attempt, observation } = host;
  requireMove(enrolment, 'order');
  const open = isOpen(attempt) ? attempt : null;
  // A machine without an OS of ours can only be installed; an install that was under way hands on its order.
  const isBare = !hasSystem(observation) || (open?.kind === 'install' && !hasReached(open, 'installed'));
  const installs = reinstall !== undefined || isBare;
  // Ordered back in the middle of a jump to where it may still be: then no jump is needed to prove it.
  const mayStay = !installs && !order.fresh && observation?.digest === order.target.digest;
  const next = begin(
    {
      id: order.attemptId,
      hostId: enrolment.id,
      kind: installs ? 'install' : 'switch',
      digest: order.target.digest,
      ref: order.target.ref,
      cause: order.cause,
      rolloutId: order.rolloutId ?? null,
      wipe: installs && (reinstall?.wipe ?? (open?.kind === 'install' ? open.wipe : enrolment.wipe)),
      fresh: order.fresh,
      workBootId: mayStay ? null : (observation?.bootId ?? null),
    },
    order.now,
  );
  const superseded = open ? supersede(open, 'order', order.now, `${order.target.ref} was ordered`) : null;
  return {
    host: { ...host, enrolment: { ...enrolment, assignment: order.target }, attempt: next },
    superseded,
    began: true,
    pending: next,
  };
}

/**
 * Takes an order back on which the machine has not acted: it stays as it is, and shall be what it was before.
 * @param before null: no image was assigned
 */
export function takeBack(host: Host, before: Assignment | null, reason: string, now: number): Assigned {
  const open = isOpen(host.attempt) ? host.attempt : null;
  const superseded = open ? supersede(open, 'order', now, reason) : null;
  return {
    host: {
      ...host,
      enrolment: { ...host.enrolment, assignment: before },
      attempt: superseded ?? host.attempt,
    },
    superseded,
    began: false,
    pending: null,
  };
}

/** True when the machine runs one of our images or said that a slot of its disk holds one. */
function hasSystem(observation: Observation | null): boolean {
  if (observation === null) return false;
  const slots = Object.values(observation.slots);
  return (
    observation.environment === 'os' || slots.some(({ state }) => state === 'valid' || state === 'modified')
  );
}
