import type { Digest } from './digest.ts';
import { WarmbootError } from './errors.ts';
import type { Enrolment } from './host.ts';
import { type Amount, hostsIn, type RolloutWave } from './rollout.ts';

/** A host that a selector or a list of MACs has found, in the order in which it was found. */
export type Candidate = {
  readonly hostId: string;
  readonly mac: string;
  readonly status: Enrolment['status'];
  readonly runs: Digest | null;
  readonly seenAt: number | null;
};

export type Planned = {
  readonly waves: readonly RolloutWave[];
  readonly members: readonly { readonly hostId: string; readonly mac: string; readonly wave: number }[];
  /** Hosts that were named and are no members, each with the reason. */
  readonly leftOut: readonly { readonly mac: string; readonly reason: string }[];
};

/**
 * Which hosts take part, and in which wave. The first waves get hosts that can prove something: those that were not seen
 * for long come after them, and those that run the image last. Otherwise the order stays.
 * @param waves how many hosts are reached at the end of each wave; one that would have no host is left out
 * @throws WarmbootError when no host takes part, or the last wave leaves some out
 */
export function planRollout(
  candidates: readonly Candidate[],
  spec: {
    readonly waves: readonly Amount[];
    readonly skipAfterMs: number;
    /** Null: each has its own. */
    readonly digest: Digest | null;
    readonly fresh: boolean;
  },
  now: number,
): Planned {
  const proof = ({ runs, seenAt }: Candidate): number => {
    if (spec.digest !== null && runs === spec.digest && !spec.fresh) return 2;
    return seenAt === null || now - seenAt >= spec.skipAfterMs ? 1 : 0;
  };
  const able = candidates.filter(({ status }) => status === 'approved');
  const leftOut = candidates
    .filter(({ status }) => status !== 'approved')
    .map(({ mac, status }) => ({ mac, reason: `the host is ${status}` }));
  if (able.length === 0)
    throw new WarmbootError(
      'invalid',
      leftOut.length > 0
        ? `No host takes part: none of the ${leftOut.length} that were found is approved.`
        : 'No host takes part: none fits the selector. See warmboot hosts.',
    );
  const sizes = waveSizes(spec.waves, able.length);
  const inOrder = able.toSorted((one, other) => proof(one) - proof(other));
  const members = sizes.flatMap(({ hosts }, wave) => {
    const first = sizes.slice(0, wave).reduce((sum, size) => sum + size.hosts, 0);
    return inOrder.slice(first, first + hosts).map(({ hostId, mac }) => ({ hostId, mac, wave }));
  });
  return { waves: sizes, members, leftOut };
}

function waveSizes(waves: readonly Amount[], total: number): RolloutWave[] {
  let reached = 0;
  const sizes = waves.flatMap((upTo) => {
    const until = Math.min(total, hostsIn(upTo, total, 'up'));
    const hosts = Math.max(0, until - reached);
    reached += hosts;
    return hosts > 0 ? [{ upTo, hosts }] : [];
  });
  if (reached < total)
    throw new WarmbootError(
      'invalid',
      `The waves end at ${reached} of ${total} hosts. Let the last one be "100%", or select fewer hosts.`,
    );
  return sizes;
}
