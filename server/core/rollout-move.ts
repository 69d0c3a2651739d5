import { failureLimit, isOver, type Member, type Rollout, unavailableLimit } from './rollout.ts';
import {
  hasFallenBack,
  isAway,
  isUnavailable,
  LISTEN_FIRST_MS,
  type Look,
  type MemberState,
  mayBeTakenBack,
  memberState,
  timeText,
} from './rollout-member.ts';

/** What a rollout does next. Asked twice of the same records, the answer is the same. */
export type RolloutMove =
  /** Order these, in this order. */
  | { readonly do: 'assign'; readonly hosts: readonly string[] }
  /** Take the orders of these back: they have not acted on them. */
  | { readonly do: 'take-back'; readonly hosts: readonly string[]; readonly reason: string }
  /** The wave is over and soaks from now on. */
  | { readonly do: 'soak'; readonly reason: string }
  /** The next wave begins. */
  | { readonly do: 'advance'; readonly reason: string }
  /** For what went wrong: too many failures, or a wave that proved nothing. */
  | { readonly do: 'pause'; readonly reason: string }
  /** Nothing until something changes, or until then. */
  | { readonly do: 'wait'; readonly until: number | null; readonly reason: string }
  | { readonly do: 'end'; readonly as: 'finished' | 'aborted'; readonly reason: string };

export type RolloutLook = Omit<Look, 'rollout'>;

/** Compares what a rollout shall come to with where its members are. */
export function nextMove(
  rollout: Rollout,
  members: readonly Member[],
  { now, startedAt }: RolloutLook,
): RolloutMove {
  const { status, statusReason, wave, waves, soakAt, soakMs } = rollout;
  if (isOver(rollout)) return { do: 'wait', until: null, reason: statusReason };
  const look: Look = { rollout, now, startedAt };
  const backable = members.filter(mayBeTakenBack);
  if (status === 'aborting')
    return backable.length > 0
      ? { do: 'take-back', hosts: idsOf(backable), reason: statusReason }
      : { do: 'end', as: 'aborted', reason: statusReason };
  const lost = backable.filter((member) => isAway(member, look));
  if (lost.length > 0)
    return { do: 'take-back', hosts: idsOf(lost), reason: 'it was ordered and not seen for long since' };
  const held = backable.filter(({ host }) => host?.held);
  if (held.length > 0)
    return { do: 'take-back', hosts: idsOf(held), reason: 'it was ordered, then held by an operator' };
  if (status === 'paused') return { do: 'wait', until: null, reason: `paused: ${statusReason}` };

  const failures = countFailures(rollout, members, look);
  const limit = failureLimit(rollout);
  if (failures >= limit)
    return {
      do: 'pause',
      reason: `${failures} of ${limit} failures that it bears: ${firstFailure(rollout, members, look)}`,
    };

  const name = `wave ${wave + 1} of ${waves.length}`;
  // The clock was set back: it soaks from now on, and not for as long as the clock was wrong.
  if (soakAt !== null && soakAt > now) return { do: 'soak', reason: `${name} is over` };
  if (soakAt !== null) {
    const until = soakAt + soakMs;
    return now < until
      ? { do: 'wait', until, reason: `${name} is over and soaks until ${timeText(until)}` }
      : { do: 'advance', reason: `${name} has soaked` };
  }
  const begun = members.filter((member) => member.wave <= wave);
  const states = begun.map((member) => memberState(member, look).state);
  const waiting = begun.filter((_, at) => states[at] === 'waiting');
  const busy = members.filter(isUnavailable).length;
  const room = unavailableLimit(rollout) - busy;
  // Who is to be ordered once more and counts as unavailable already has its place.
  const next = [
    ...waiting.filter(isUnavailable),
    ...waiting.filter((member) => !isUnavailable(member)).slice(0, Math.max(0, room)),
  ];
  if (next.length > 0) return { do: 'assign', hosts: idsOf(next) };

  const unfinished = states.filter((state) => !FINAL.has(state)).length;
  if (unfinished > 0) {
    const full =
      waiting.length > 0
        ? `, ${waiting.length} wait until one of ${busy} that are on their way is there`
        : '';
    const isHeard = now - startedAt >= LISTEN_FIRST_MS;
    return {
      do: 'wait',
      until: isHeard ? null : startedAt + LISTEN_FIRST_MS,
      reason: `${name}: ${unfinished} of ${begun.length} hosts are not there yet${full}`,
    };
  }
  const isLast = wave >= waves.length - 1;
  const proven = begun.some((member, at) => member.wave === wave && states[at] === 'succeeded');
  if (isLast) return { do: 'end', as: 'finished', reason: 'every wave is over' };
  if (!proven && rollout.acceptedWave < wave)
    return {
      do: 'pause',
      reason: `no host of ${name} came to run the image: ${firstLeft(begun, wave, look)}`,
    };
  if (soakMs > 0) return { do: 'soak', reason: `${name} is over` };
  return { do: 'advance', reason: `${name} is over` };
}

const FINAL: ReadonlySet<MemberState> = new Set(['succeeded', 'failed', 'rolled-back', 'skipped'] as const);

/** Attempts of this rollout that failed or rolled back, hosts that fell back later, and those that fell silent while they soaked. */
function countFailures(rollout: Rollout, members: readonly Member[], look: Look): number {
  return members.filter((member) => isFailure(rollout, member, look)).length;
}

function isFailure(
  { countedFrom, soakAt, wave, acceptedWave }: Rollout,
  member: Member,
  look: Look,
): boolean {
  const { own, host } = member;
  if (own?.outcome === 'failed' || own?.outcome === 'rolled-back') return (own.endedAt ?? 0) > countedFrom;
  if (hasFallenBack(member)) return (host?.heardAt ?? 0) > countedFrom;
  const soaks = soakAt !== null && member.wave === wave && acceptedWave < wave;
  return soaks && own?.outcome === 'succeeded' && isAway(member, look);
}

function firstFailure(rollout: Rollout, members: readonly Member[], look: Look): string {
  const first = members.find((member) => isFailure(rollout, member, look));
  if (!first) return '';
  const { state, reason } = memberState(first, look);
  return `${first.mac} ${state === 'succeeded' ? 'fell silent while it soaked' : `${state}: ${reason}`}`;
}

function firstLeft(members: readonly Member[], wave: number, look: Look): string {
  const first = members.find((member) => member.wave === wave);
  return first ? `${first.mac} ${memberState(first, look).reason}` : 'it is empty';
}

function idsOf(members: readonly Member[]): string[] {
  return members.map(({ hostId }) => hostId);
}
