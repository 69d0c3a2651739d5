import type { Digest } from './digest.ts';
import { WarmbootError } from './errors.ts';
import type { Assignment } from './host.ts';
import type { Member } from './rollout.ts';
import { type Planned, planRollout } from './rollout-plan.ts';
import type { NewMember } from './rollout-port.ts';

/** What a rollback of a rollout is to do: who goes back to what, and who was moved and stays. */
export type PlannedBack = Omit<Planned, 'members'> & { readonly members: readonly NewMember[] };

/** Hosts named in a refusal; the others are counted. */
const NAMED = 3;

/**
 * All at once: within its limits, every host has run its image before.
 * @param members of the rollout that is rolled back
 * @param hasImage whether the store still has it: once a rollout is over it keeps no image any more
 * @throws WarmbootError `conflict` when no host goes back
 */
export function planBack(
  members: readonly Member[],
  hasImage: (digest: Digest) => boolean,
  skipAfterMs: number,
  now: number,
): PlannedBack {
  const has = new Map<Digest, boolean>();
  const hasOne = (digest: Digest): boolean => {
    const found = has.get(digest) ?? hasImage(digest);
    has.set(digest, found);
    return found;
  };
  const targets = new Map<string, Assignment>();
  const leftOut: { mac: string; reason: string }[] = [];
  for (const member of members) {
    const way = wayBack(member, hasOne);
    if (way === null) continue;
    if ('to' in way) targets.set(member.hostId, way.to);
    else leftOut.push({ mac: member.mac, reason: way.stays });
  }
  if (targets.size === 0) throw nobodyGoesBack(leftOut);
  const candidates = members
    .filter(({ hostId }) => targets.has(hostId))
    .map(({ hostId, mac, seenAt }) => ({ hostId, mac, status: 'approved' as const, runs: null, seenAt }));
  const planned = planRollout(candidates, { waves: ['100%'], skipAfterMs, digest: null, fresh: false }, now);
  return {
    waves: planned.waves,
    members: planned.members.map((member) => ({ ...member, target: targets.get(member.hostId) ?? null })),
    leftOut,
  };
}

function nobodyGoesBack(leftOut: Planned['leftOut']): WarmbootError {
  const named = leftOut.slice(0, NAMED).map(({ mac, reason }) => `${mac}: ${reason}`);
  const more = leftOut.length > NAMED ? [`and ${leftOut.length - NAMED} more`] : [];
  const why = named.length > 0 ? [...named, ...more].join('; ') : 'no host was moved by this rollout';
  return new WarmbootError('conflict', `There is nothing to roll back, and the rollout is over: ${why}.`);
}

/** Where a member goes when its rollout is rolled back; null: it was not moved, and there is nothing to say of it. */
type WayBack = { readonly to: Assignment } | { readonly stays: string } | null;

/** A host goes back that the rollout has ordered and nobody since. */
function wayBack(
  { own, last, before, target, host }: Member,
  hasImage: (digest: Digest) => boolean,
): WayBack {
  if (own === null || host === null) return null;
  if (host.status !== 'approved') return { stays: `the host is ${host.status}` };
  if (last?.id !== own.id) return { stays: `it got another order since${last ? `: ${last.cause}` : ''}` };
  if (host.assigned !== target.digest)
    // An order that was taken back has moved nothing.
    return own.outcome === 'superseded' ? null : { stays: 'another image was assigned to it since' };
  if (before === null) return { stays: 'it ran nothing before' };
  if (before.digest === target.digest) return { stays: 'it ran the same image before' };
  if (hasImage(before.digest)) return { to: before };
  const name = before.ref === before.digest ? before.digest : `${before.ref} (${before.digest})`;
  return { stays: `the image that it ran before is gone: ${name}. Import it or build it again` };
}
