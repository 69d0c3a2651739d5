import type { Member, Rollout } from './rollout.ts';
import { isUnavailable, type Look, MEMBER_STATES, type MemberState, memberState } from './rollout-member.ts';

/** How many members stand where. */
export type Tally = { readonly [state in MemberState]: number };

export type RolloutProgress = {
  readonly total: Tally;
  readonly waves: readonly Tally[];
  /** Members that may be away by the rollout's doing. */
  readonly unavailable: number;
};

export function progressOf(
  { waves }: Pick<Rollout, 'waves'>,
  members: readonly Member[],
  look: Look,
): RolloutProgress {
  const counts = waves.map(nothing);
  const total = nothing();
  for (const member of members) {
    const { state } = memberState(member, look);
    total[state] += 1;
    const wave = counts[member.wave];
    if (wave) wave[state] += 1;
  }
  return { total, waves: counts, unavailable: members.filter(isUnavailable).length };
}

/** Before anybody has looked at its members. */
export function progressAtBeginning({ waves }: Pick<Rollout, 'waves'>): RolloutProgress {
  const hosts = waves.reduce((sum, wave) => sum + wave.hosts, 0);
  return {
    total: { ...nothing(), waiting: hosts },
    waves: waves.map((wave) => ({ ...nothing(), waiting: wave.hosts })),
    unavailable: 0,
  };
}

function nothing(): { [state in MemberState]: number } {
  return Object.fromEntries(MEMBER_STATES.map((state) => [state, 0])) as Record<MemberState, number>;
}
