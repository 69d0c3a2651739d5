import type {
  BegunRolloutView,
  RolloutHostView,
  RolloutPlanView,
  RolloutSummaryView,
  RolloutView,
} from '../contract/rollouts.ts';
import {
  failureLimit,
  hostsUpTo,
  isOver,
  type Member,
  type Rollout,
  unavailableLimit,
} from '../core/rollout.ts';
import type { MemberView } from '../core/rollout-member.ts';
import type { Planned } from '../core/rollout-plan.ts';
import type { Tally } from '../core/rollout-tally.ts';
import type { BegunRollout, RolloutStanding } from '../core/rollout-use-cases.ts';

/** From the core's records of rollouts to what the admin API shows. */

export function rolloutSummary(rollout: Rollout, total: Tally): RolloutSummaryView {
  const { id, name, image, rollbackOf, status, wave, waves, createdAt, endedAt } = rollout;
  return {
    id,
    name,
    image: image && { ...image },
    rollbackOf,
    status,
    wave: wave + 1,
    waveCount: waves.length,
    hosts: hostsUpTo(rollout, waves.length),
    states: { ...total },
    createdAt,
    endedAt,
  };
}

export function rolloutView({ rollout, progress, reason }: RolloutStanding): RolloutView {
  const { why, waves, soakAt, soakMs, skipAfterMs, maxUnavailable, failureThreshold, fresh } = rollout;
  return {
    ...rolloutSummary(rollout, progress.total),
    reason,
    why,
    waves: waves.map(({ upTo, hosts }, at) => ({
      upTo,
      hosts,
      status: waveStatus(rollout, at),
      states: { ...(progress.waves[at] ?? progress.total) },
    })),
    soakUntil: soakAt === null || isOver(rollout) ? null : soakAt + soakMs,
    unavailable: progress.unavailable,
    maxUnavailable,
    maxUnavailableHosts: unavailableLimit(rollout),
    failureThreshold,
    failureLimit: failureLimit(rollout),
    soakSeconds: soakMs / 1000,
    skipAfterSeconds: skipAfterMs / 1000,
    fresh,
  };
}

export function begunRolloutView({ leftOut, ...standing }: BegunRollout): BegunRolloutView {
  return { ...rolloutView(standing), leftOut: leftOut.map((host) => ({ ...host })) };
}

function waveStatus(rollout: Rollout, at: number): RolloutView['waves'][number]['status'] {
  if (at < rollout.wave || rollout.status === 'finished') return 'over';
  if (at > rollout.wave) return 'waits';
  return rollout.soakAt === null ? 'works' : 'soaks';
}

export function rolloutPlan(rollout: Rollout, { waves, members, leftOut }: Planned): RolloutPlanView {
  return {
    image: rollout.image && { ...rollout.image },
    hosts: members.length,
    maxUnavailableHosts: unavailableLimit(rollout),
    waves: waves.map(({ upTo, hosts }, at) => ({
      upTo,
      hosts,
      macs: members.filter(({ wave }) => wave === at).map(({ mac }) => mac),
    })),
    leftOut: leftOut.map((host) => ({ ...host })),
  };
}

export function rolloutHost({
  member,
  state,
  reason,
}: MemberView & { readonly member: Member }): RolloutHostView {
  const { hostId, mac, wave, own, target, before, seenAt } = member;
  return {
    host: hostId,
    mac,
    wave: wave + 1,
    state,
    reason,
    attempt: own?.id ?? null,
    image: { ...target },
    before: before && { ...before },
    lastSeen: seenAt,
  };
}
