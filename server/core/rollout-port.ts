import type { Digest } from './digest.ts';
import type { Assignment, Enrolment } from './host.ts';
import type { Mac } from './mac.ts';
import type { Member, Rollout } from './rollout.ts';

/** What the store keeps of rollouts. They are changed by `Store.change` alone. */

/** A member as the store knows it: when its machine was seen is known elsewhere. */
export type StoredMember = Omit<Member, 'seenAt'> & {
  /** All that the host has now. */
  readonly macs: readonly Mac[];
};

/** A host that a rollout could take. */
export type Choice = {
  readonly hostId: string;
  readonly macs: readonly Mac[];
  readonly status: Enrolment['status'];
  readonly labels: Readonly<Record<string, string>>;
  readonly layout: string;
  readonly runs: Digest | null;
  readonly heardAt: number | null;
};

/** A place in the list, newest first: behind the rollout that it names. */
export type RolloutPlace = Pick<Rollout, 'createdAt' | 'id'>;

export type StoreRollouts = {
  find(id: string): Promise<Rollout | null>;
  /** Newest first. */
  list(after: RolloutPlace | null, limit: number): Promise<readonly Rollout[]>;
  /** Those that are not over, oldest first. */
  open(): Promise<readonly Rollout[]>;
  /** In their order; read in parts, between which others get their turn. */
  members(id: string): Promise<readonly StoredMember[]>;
  /** A part of them, after that position (-1: from the first). */
  memberPage(id: string, after: number, limit: number): Promise<readonly StoredMember[]>;
  /** Every host, in the order of enrolment; read in parts too. */
  choices(): Promise<readonly Choice[]>;
};

/** What a decision may look at of them; reads inside the transaction. */
export type RolloutRecords = {
  find(id: string): Rollout | null;
  /** How many of its attempts failed or rolled back after that time. */
  failures(id: string, after: number): number;
  /** Hosts of rollouts that are not over → that rollout's id. */
  taken(): ReadonlyMap<string, string>;
};

export type NewMember = {
  readonly hostId: string;
  readonly mac: string;
  readonly wave: number;
  /** Null: the rollout's. */
  readonly target: Assignment | null;
};

/** What a decision writes of them. */
export type RolloutWrites = {
  /** As they shall be, new ones too. */
  readonly rollouts?: readonly Rollout[];
  /** Of a new rollout, in their order. */
  readonly members?: { readonly rolloutId: string; readonly members: readonly NewMember[] };
  /** What these ran when they were ordered; the first word stays. */
  readonly ordered?: {
    readonly rolloutId: string;
    readonly hosts: readonly { readonly hostId: string; readonly before: Assignment | null }[];
  };
};
