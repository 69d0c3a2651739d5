import { type Assigned, assign, start, takeBack } from './assign.ts';
import type { Assignment, Host } from './host.ts';
import { type Member, memberHost } from './rollout.ts';
import { type Look, mayBeTakenBack, memberState } from './rollout-member.ts';

/** The orders of a rollout, decided on the host as it is at that moment: since the look at all members it may have changed. */

export type MemberOrder = {
  readonly assigned: Assigned;
  /** What the host ran before, to be kept for a rollback. */
  readonly before: Assignment | null;
};

/** @returns null when it is not the member's turn any more */
export function orderMember(
  host: Host,
  seen: Member,
  look: Look,
  order: { readonly attemptId: string; readonly rolloutId: string },
): MemberOrder | null {
  const member = refreshed(seen, host);
  if (memberState(member, look).state !== 'waiting') return null;
  const { now, rollout } = look;
  const { attempt } = host;
  const full = {
    ...order,
    target: member.target,
    cause: `rollout ${order.rolloutId}`,
    fresh: rollout.fresh,
    now,
  };
  // Whoever resumed the rollout asked for it, as for a retry of one host.
  const isRetry =
    attempt?.digest === member.target.digest &&
    (attempt.outcome === 'failed' || attempt.outcome === 'rolled-back');
  if (!isRetry) return { assigned: assign(host, full), before: ranBefore(host) };
  const reinstall = attempt.kind === 'install' ? { wipe: attempt.wipe } : undefined;
  return { assigned: start(host, full, reinstall), before: ranBefore(host) };
}

/** @returns null when the host has acted on the order meanwhile, or the order is not the rollout's any more */
export function takeMemberBack(host: Host, seen: Member, reason: string, now: number): Assigned | null {
  const member = refreshed(seen, host);
  if (member.own === null || host.attempt?.id !== member.own.id || !mayBeTakenBack(member)) return null;
  return takeBack(host, member.before, reason, now);
}

/** The image that runs, else the one that was assigned. */
function ranBefore({ enrolment: { assignment }, observation }: Host): Assignment | null {
  const runs = observation?.environment === 'os' && !observation.trial ? observation.digest : null;
  if (runs === null || runs === assignment?.digest) return assignment;
  return { ref: runs, digest: runs };
}

function refreshed(member: Member, host: Host): Member {
  const { attempt } = host;
  return {
    ...member,
    host: memberHost(host.enrolment, host.observation),
    last: attempt,
    own: attempt !== null && attempt.id === member.own?.id ? attempt : member.own,
  };
}
