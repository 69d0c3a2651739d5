import type { Attempt } from './attempt.ts';
import type { Digest } from './digest.ts';
import type { Assignment, Enrolment, Observation } from './host.ts';
import type { Tally } from './rollout-tally.ts';

/** A number of hosts, or a share of the rollout's members, as `"10%"`. */
export type Amount = number | `${number}%`;

/**
 * `paused`: by an operator, or by itself. `aborting`: orders that no host has acted on are being taken back. The last
 * two are its ends.
 */
export const ROLLOUT_STATUSES = ['running', 'paused', 'aborting', 'aborted', 'finished'] as const;
export type RolloutStatus = (typeof ROLLOUT_STATUSES)[number];

export type RolloutLimits = {
  /** How many members may be on their way at once. A share is rounded down, and is one at least. */
  readonly maxUnavailable: Amount;
  /** So many failures pause it. A share counts the members of the waves that have begun, rounded up. */
  readonly failureThreshold: Amount;
  /** Between the end of a wave and the beginning of the next. */
  readonly soakMs: number;
  /** A host that was not seen for so long is not waited for. */
  readonly skipAfterMs: number;
};

export type RolloutWave = {
  /** As the operator said it. */
  readonly upTo: Amount;
  readonly hosts: number;
};

/**
 * Brings many hosts to an image, in waves. What is kept is who takes part, where it pauses, and since when a wave soaks; all
 * progress is counted from the attempts that carry its id.
 */
export type Rollout = RolloutLimits & {
  readonly id: string;
  readonly name: string | null;
  /** Null: each member has its own, the one that it had before the rollout `rollbackOf`. */
  readonly image: Assignment | null;
  readonly rollbackOf: string | null;
  readonly fresh: boolean;
  readonly waves: readonly RolloutWave[];
  readonly status: RolloutStatus;
  /** Why it has that status. */
  readonly statusReason: string;
  /** What the operator gave as the reason for it. */
  readonly why: string;
  /** Index of the wave that is under way: those before it are over and have soaked. */
  readonly wave: number;
  /** Since when that wave soaks; null while it works. Times: milliseconds since 1970. */
  readonly soakAt: number | null;
  /** Failures up to then were accepted by who resumed it. */
  readonly countedFrom: number;
  /** Members that failed before are ordered once more; null: nobody asked for that. */
  readonly retryFrom: number | null;
  /** The last wave that leads on although no host of it succeeded, because it was resumed there after a failure; -1: none. */
  readonly acceptedWave: number;
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** How many members stood where when it ended. */
  readonly result: Tally | null;
};

/** What a rollout has to know of an attempt. */
export type MemberAttempt = Pick<
  Attempt,
  'id' | 'kind' | 'digest' | 'cause' | 'phase' | 'outcome' | 'reason' | 'createdAt' | 'endedAt'
>;

/** One host of a rollout, as the store tells it. */
export type Member = {
  readonly hostId: string;
  /** By which it was known when the rollout began. */
  readonly mac: string;
  /** Index of its wave. */
  readonly wave: number;
  /** What it shall run. */
  readonly target: Assignment;
  /** What it ran when it was ordered to the target; null: nothing, or it was not ordered. */
  readonly before: Assignment | null;
  /** Null: the host was removed. */
  readonly host: MemberHost | null;
  /** The last attempt that this rollout has ordered. */
  readonly own: MemberAttempt | null;
  /** The host's last attempt, whoever ordered it. */
  readonly last: MemberAttempt | null;
  /** When the machine last asked or said anything; null: not since the server started, nor ever reported. */
  readonly seenAt: number | null;
};

export type MemberHost = {
  readonly status: Enrolment['status'];
  /** Why an operator holds it; null: none does. */
  readonly held: string | null;
  readonly assigned: Digest | null;
  /** The image that runs as its OS, not on trial; null: none, or nobody knows. */
  readonly runs: Digest | null;
  /** Of its last report. */
  readonly heardAt: number | null;
};

/** Nothing of a rollout changes any more. */
export function isOver({ status }: Pick<Rollout, 'status'>): boolean {
  return status === 'aborted' || status === 'finished';
}

/** What a rollout has to know of a host. */
export function memberHost(
  enrolment: Pick<Enrolment, 'status' | 'assignment' | 'held'>,
  observation: Pick<Observation, 'environment' | 'digest' | 'trial' | 'at'> | null,
): MemberHost {
  const isUp = observation?.environment === 'os' && !observation.trial;
  return {
    status: enrolment.status,
    held: enrolment.held,
    assigned: enrolment.assignment?.digest ?? null,
    runs: isUp ? observation.digest : null,
    heardAt: observation?.at ?? null,
  };
}

/** How many hosts of `total` an amount means. */
export function hostsIn(amount: Amount, total: number, round: 'up' | 'down'): number {
  if (typeof amount === 'number') return amount;
  // Whole hundredths: 0.07 * 100 is more than 7.
  const share = (Math.round(Number.parseFloat(amount) * 100) * total) / 10_000;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}

/** Hosts of the waves up to that one. */
export function hostsUpTo({ waves }: Pick<Rollout, 'waves'>, wave: number): number {
  return waves.slice(0, wave + 1).reduce((sum, { hosts }) => sum + hosts, 0);
}

/** How many members may be on their way at once. */
export function unavailableLimit(rollout: Pick<Rollout, 'waves' | 'maxUnavailable'>): number {
  const total = hostsUpTo(rollout, rollout.waves.length);
  return Math.max(1, hostsIn(rollout.maxUnavailable, total, 'down'));
}

/** At how many failures it pauses. */
export function failureLimit(rollout: Pick<Rollout, 'waves' | 'wave' | 'failureThreshold'>): number {
  return Math.max(1, hostsIn(rollout.failureThreshold, hostsUpTo(rollout, rollout.wave), 'up'));
}
