import type { By } from './by.ts';
import type { Amount, Member, Rollout } from './rollout.ts';
import type { MemberState, MemberView } from './rollout-member.ts';
import type { Planned } from './rollout-plan.ts';
import type { RolloutPlace } from './rollout-port.ts';
import type { RolloutProgress, Tally } from './rollout-tally.ts';

/** What an operator says to begin a rollout; what is left out takes the default. */
export type NewRollout = {
  readonly image: string;
  /** Either this, a label selector, or `macs`. */
  readonly selector?: string | undefined;
  readonly macs?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly waves?: readonly Amount[] | undefined;
  readonly maxUnavailable?: Amount | undefined;
  readonly failureThreshold?: Amount | undefined;
  readonly soakSeconds?: number | undefined;
  readonly skipAfterSeconds?: number | undefined;
  readonly fresh?: boolean | undefined;
  readonly reason?: string | undefined;
};

/** A rollout and how far it is. */
export type RolloutStanding = {
  readonly rollout: Rollout;
  readonly progress: RolloutProgress;
  /** What it does or waits for now. */
  readonly reason: string;
};

/** `leftOut`: hosts that were meant and are no members, each with the reason. */
export type BegunRollout = RolloutStanding & Pick<Planned, 'leftOut'>;

export type RolloutUseCases = {
  /** What `begin` would do; nothing is written. */
  plan(wish: NewRollout): Promise<{ readonly rollout: Rollout; readonly planned: Planned }>;
  /** @throws WarmbootError `conflict` when a host belongs to a rollout that is not over */
  begin(by: By, wish: NewRollout): Promise<BegunRollout>;
  /** Newest first, behind that place. */
  list(
    after: RolloutPlace | null,
    limit: number,
  ): Promise<readonly { readonly rollout: Rollout; readonly total: Tally }[]>;
  find(id: string): Promise<RolloutStanding>;
  /** A page of its hosts in their order. `next` is null at the end. */
  hosts(
    id: string,
    query: { readonly after: number; readonly limit: number; readonly state: MemberState | null },
  ): Promise<{
    readonly hosts: readonly (MemberView & { readonly member: Member })[];
    readonly next: number | null;
  }>;
  pause(by: By, id: string, reason: string): Promise<RolloutStanding>;
  /** Who resumes it accepts its failures so far. @param retry order the hosts once more that failed */
  resume(by: By, id: string, reason: string, retry: boolean): Promise<RolloutStanding>;
  /** Orders that no host has acted on are taken back. */
  abort(by: By, id: string, reason: string): Promise<RolloutStanding>;
  /**
   * Ends it, and begins another that brings its hosts back to what they ran before, within the same limits. Those whose image
   * is gone are left out.
   * @throws WarmbootError `conflict` when no host can go back; it has ended all the same
   */
  rollback(by: By, id: string, reason: string): Promise<BegunRollout>;
};
