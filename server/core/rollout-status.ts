import { WarmbootError } from './errors.ts';
import { isOver, type Rollout, type RolloutStatus } from './rollout.ts';
import type { Tally } from './rollout-tally.ts';

/** The moves of a rollout's own record. Each throws a `conflict` where it cannot be made. */

type Moves = { readonly [From in RolloutStatus]: readonly RolloutStatus[] };

/** From → to. What is not in it does not happen. */
export const ROLLOUT_MOVES: Moves = {
  running: ['paused', 'aborting', 'finished'],
  paused: ['running', 'aborting'],
  aborting: ['aborted'],
  aborted: [],
  finished: [],
};

/** Nothing further is ordered, whatever an operator says. */
export function isEnding({ status }: Pick<Rollout, 'status'>): boolean {
  return status !== 'running' && status !== 'paused';
}

function moved(rollout: Rollout, to: RolloutStatus, reason: string): Rollout {
  if (ROLLOUT_MOVES[rollout.status].includes(to)) return { ...rollout, status: to, statusReason: reason };
  throw new WarmbootError(
    'conflict',
    `The rollout is ${rollout.status} (${rollout.statusReason}): it cannot become ${to}.${
      isOver(rollout) ? ' Start another one.' : ''
    }`,
  );
}

export function paused(rollout: Rollout, reason: string): Rollout {
  return moved(rollout, 'paused', reason);
}

/** By itself, for what went wrong: whoever resumes it has seen that, and lets the wave lead on. */
export function pausedForFailures(rollout: Rollout, reason: string): Rollout {
  return { ...paused(rollout, reason), acceptedWave: rollout.wave };
}

/**
 * Who resumes accepts the failures so far.
 * @param retry order the members once more that failed
 * @param failures how many there are that nobody has accepted: with none there is nothing to let the wave lead on for
 */
export function resumed(
  rollout: Rollout,
  reason: string,
  retry: boolean,
  now: number,
  failures = 0,
): Rollout {
  return {
    ...moved(rollout, 'running', reason),
    countedFrom: now,
    retryFrom: retry ? now : rollout.retryFrom,
    acceptedWave: failures > 0 ? rollout.wave : rollout.acceptedWave,
    // What is ordered once more makes the wave work again, and it soaks anew.
    soakAt: retry ? null : rollout.soakAt,
  };
}

export function aborting(rollout: Rollout, reason: string): Rollout {
  return moved(rollout, 'aborting', reason);
}

export function ended(
  rollout: Rollout,
  as: 'aborted' | 'finished',
  reason: string,
  result: Tally,
  now: number,
): Rollout {
  return { ...moved(rollout, as, reason), endedAt: now, result };
}

export function soaking(rollout: Rollout, now: number): Rollout {
  return { ...rollout, soakAt: now };
}

export function advanced(rollout: Rollout): Rollout {
  return { ...rollout, wave: rollout.wave + 1, soakAt: null, statusReason: 'runs' };
}
