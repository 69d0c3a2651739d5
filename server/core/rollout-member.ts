import { hasReached, type PHASES } from './attempt.ts';
import { phaseState } from './host-state.ts';
import type { Member, MemberAttempt, Rollout } from './rollout.ts';

/** The word shown for a member. `waiting` is to be ordered as soon as the rollout may; `held` cannot be now. */
export const MEMBER_STATES = [
  'waiting',
  'held',
  'installing',
  'staging',
  'switching',
  'confirming',
  'succeeded',
  'failed',
  'rolled-back',
  'skipped',
] as const;
export type MemberState = (typeof MEMBER_STATES)[number];

export type MemberView = { readonly state: MemberState; readonly reason: string };

/** For so long after its start the server has not heard of everybody: then nobody is skipped yet. */
export const LISTEN_FIRST_MS = 120_000;

/** What a rollout looks at its members with. */
export type Look = {
  readonly rollout: Pick<Rollout, 'createdAt' | 'fresh' | 'retryFrom' | 'skipAfterMs'>;
  readonly now: number;
  /** When the server started: until it has listened for a while, silence means nothing. */
  readonly startedAt: number;
};

/** Where a member stands. Derived at every look; nothing stores it. */
export function memberState(member: Member, look: Look): MemberView {
  const { host, own } = member;
  if (host === null) return { state: 'skipped', reason: 'the host was removed' };
  if (host.status !== 'approved') return { state: 'skipped', reason: `the host is ${host.status}` };
  if (own === null) return beforeOrder(member, host, look);
  if (own.outcome === null) return { state: phaseState(own), reason: own.reason };
  switch (own.outcome) {
    case 'succeeded':
      if (!hasFallenBack(member)) return { state: 'succeeded', reason: own.reason };
      if (isRetried(own, look)) return beforeOrder(member, host, look);
      return { state: 'failed', reason: 'it succeeded, and runs another image since' };
    case 'failed':
    case 'rolled-back':
      if (runsTarget(member)) return { state: 'succeeded', reason: 'a later order brought it there' };
      if (isRetried(own, look)) return beforeRetry(member, host, look);
      return { state: own.outcome, reason: own.reason };
    case 'superseded':
      return runsTarget(member)
        ? { state: 'succeeded', reason: 'a later order brought it there' }
        : { state: 'skipped', reason: own.reason };
    default:
      return own.outcome satisfies never;
  }
}

/** An order for a machine that is lost would hide that it is: once it is taken back, the machine would count as available. */
function beforeRetry(member: Member, host: NonNullable<Member['host']>, look: Look): MemberView {
  const isLost = isUnavailable(member) && (member.seenAt ?? 0) <= (member.own?.endedAt ?? 0);
  if (!isLost || isAway(member, look)) return beforeOrder(member, host, look);
  return { state: 'held', reason: 'it jumped and was not heard of since' };
}

/** A member that has no order of this rollout, or whose order is to be repeated. */
function beforeOrder(member: Member, host: NonNullable<Member['host']>, look: Look): MemberView {
  const { last, own, target } = member;
  const isForeign = last !== null && last.id !== own?.id;
  if (isForeign && last.digest !== target.digest && last.createdAt > look.rollout.createdAt)
    return { state: 'skipped', reason: `it got another order since: ${last.cause}` };
  if (isForeign && last.outcome === null) {
    if (isAway(member, look)) return away(member);
    if (last.digest === target.digest)
      return { state: 'held', reason: `another order brings it there: ${last.cause}` };
    if (hasReached(last, BUSY_FROM[last.kind]))
      return { state: 'held', reason: `it is in the middle of another order: ${last.cause}` };
  }
  if (!look.rollout.fresh) {
    // Where another image is assigned, the order is to stay on this one.
    if (runsTarget(member) && host.assigned === target.digest)
      return { state: 'succeeded', reason: 'it runs the image' };
    const hasFailed = last?.outcome === 'failed' || last?.outcome === 'rolled-back';
    if (hasFailed && last.digest === target.digest && !runsTarget(member) && !isRetried(last, look))
      return { state: 'skipped', reason: 'the image failed on it before: retry it' };
  }
  if (host.held !== null)
    return {
      state: 'skipped',
      reason: `held: ${host.held}; it is ordered when it is resumed before the rollout ends`,
    };
  if (isAway(member, look)) return away(member);
  if (isSilent(member, look))
    return { state: 'held', reason: 'it was not heard of since the server started' };
  return { state: 'waiting', reason: 'waits for its turn' };
}

/** From there on another order is let come to its end. */
const BUSY_FROM = { install: 'claimed', switch: 'switching' } as const satisfies {
  [Kind in keyof typeof PHASES]: (typeof PHASES)[Kind][number];
};

/** Not seen for so long that nobody waits for it. */
export function isAway(member: Member, look: Look): boolean {
  return isSilent(member, look) && look.now - look.startedAt >= LISTEN_FIRST_MS;
}

function isSilent({ seenAt }: Member, { now, rollout }: Look): boolean {
  return seenAt === null || now - seenAt >= rollout.skipAfterMs;
}

function away({ seenAt }: Member): MemberView {
  const since = seenAt === null ? 'it was never seen' : `it was not seen since ${timeText(seenAt)}`;
  return { state: 'skipped', reason: `${since}; it is ordered when it is back before the rollout ends` };
}

/** An order that has not been acted on: taken back, it leaves the machine as it is. */
export function mayBeTakenBack({ own }: Member): boolean {
  return (
    own !== null && own.outcome === null && !hasReached(own, own.kind === 'install' ? 'claimed' : 'switching')
  );
}

/**
 * Whether the rollout may be why the host is not at work: it has an order, or jumped for one and was not heard of since. What
 * rolled back has said so from the image that it ran before.
 */
export function isUnavailable({ own, host }: Member): boolean {
  if (own === null || host === null) return false;
  if (own.outcome === null) return true;
  if (own.outcome !== 'failed' && own.outcome !== 'superseded') return false;
  const hasJumped = own.kind === 'switch' && hasReached(own, 'switching');
  return hasJumped && (host.heardAt ?? 0) <= (own.endedAt ?? 0);
}

/** Succeeded, then came up with another image that nobody had ordered. */
export function hasFallenBack({ own, last, host, target }: Member): boolean {
  if (own?.outcome !== 'succeeded' || last?.id !== own.id || !host || host.assigned !== target.digest)
    return false;
  return host.runs !== null && host.runs !== target.digest && (host.heardAt ?? 0) > (own.endedAt ?? 0);
}

/** Runs it, and no order is open that could take it away. */
function runsTarget({ host, target, last }: Member): boolean {
  return host?.runs === target.digest && last?.outcome !== null;
}

function isRetried({ createdAt, endedAt }: MemberAttempt, { rollout: { retryFrom } }: Look): boolean {
  return retryFrom !== null && createdAt < retryFrom && endedAt !== null && endedAt <= retryFrom;
}

export function timeText(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}
