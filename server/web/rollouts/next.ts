import type { RolloutView } from '../../contract/rollouts.ts';
import { duration } from '../../words/quantity.ts';
import { count } from '../parts/amounts.ts';
import { movingIn } from './shares.ts';

/** What comes after what a rollout does now. `at`: when, in milliseconds since 1970; null: when it has come so far. */
export type Next = { readonly text: string; readonly at: number | null };

/** @returns null for one that is over */
export function nextOf(rollout: RolloutView): Next | null {
  const { status, wave, waveCount, waves, states, soakUntil, failureLimit } = rollout;
  const moving = movingIn(states);
  const onTheirWay =
    moving === 0
      ? 'No host is on its way.'
      : `${count(moving, 'host')} on the way ${moving === 1 ? 'comes to its' : 'come to their'} end.`;
  switch (status) {
    case 'running': {
      const following = waves[wave];
      const bounds = `It pauses at ${failureLimit} failed.`;
      if (following === undefined)
        return {
          text: `This is the last wave: it is over when each of its hosts has come to an end. ${bounds}`,
          at: null,
        };
      const begins = `wave ${wave + 1} of ${waveCount} begins, with ${count(following.hosts, 'host')} more`;
      return soakUntil === null
        ? {
            text: `When wave ${wave} is over it ${restText(rollout.soakSeconds)}, then ${begins}. ${bounds}`,
            at: null,
          }
        : { text: `Wave ${wave} is over and soaks; then ${begins}. ${bounds}`, at: soakUntil };
    }
    case 'paused':
      return { text: `Nothing is ordered until somebody resumes it. ${onTheirWay}`, at: null };
    case 'aborting':
      return {
        text: `Orders that no host has acted on are taken back, then it is over. ${onTheirWay}`,
        at: null,
      };
    case 'aborted':
    case 'finished':
      return null;
    default:
      return status satisfies never;
  }
}

function restText(soakSeconds: number): string {
  return soakSeconds === 0 ? 'goes on at once' : `soaks for ${duration(soakSeconds * 1000)}`;
}
