import type { RolloutView } from '../../contract/rollouts.ts';
import { type Html, html, type Part } from '../html.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { type Column, table } from '../parts/table.ts';
import { clockTime, relative } from '../parts/time.ts';
import { type Share, sharesOf, stair } from './shares.ts';

type Wave = RolloutView['waves'][number] & { readonly number: number; readonly picture: Html | null };

const TONES: Readonly<Record<Wave['status'], Tone>> = {
  waits: 'waiting',
  works: 'moving',
  soaks: 'waiting',
  over: 'good',
};

/** The waves one below the other, each with its numbers and its step of the stair. */
export function waveTable(rollout: RolloutView, leftOut: number, now: number): Html {
  const pictures = stair(rollout.waves);
  const waves = rollout.waves.map((wave, at) => ({ ...wave, number: at + 1, picture: pictures[at] ?? null }));
  const numbers = sharesOf(rollout.states)
    .filter(({ key, hosts }) => key !== 'held' || hosts > 0)
    .map(
      ({ key, word }): Column<Wave> => ({
        head: heading(word),
        cell: ({ states }) => number(sharesOf(states).find((share) => share.key === key)),
        as: 'number',
      }),
    );
  const size = table(
    'Waves',
    [
      { head: 'Wave', cell: (wave: Wave) => `${wave.number}`, names: true },
      { head: 'Up to', cell: ({ upTo }) => String(upTo), as: 'number' },
      { head: 'Hosts', cell: ({ hosts }) => String(hosts), as: 'number' },
      { head: 'Status', cell: (wave) => statusOf(wave, rollout, now) },
      { head: 'Progress', cell: ({ picture }) => picture, as: 'wide' },
      ...numbers,
    ],
    waves,
    (wave) => String(wave.number),
  );
  return html`${size}${leftOut > 0 && html`<p class="quiet">${leftOut} ${leftOut === 1 ? 'host was' : 'hosts were'} left out at the beginning: see below.</p>`}`;
}

function heading(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** Nothing where there is none: what is there is to be seen. */
function number(share: Share | undefined): Part {
  return share && share.hosts > 0 && String(share.hosts);
}

function statusOf({ status }: Wave, { soakUntil, status: whole }: RolloutView, now: number): Html {
  const isLeft = status !== 'over' && (whole === 'aborted' || whole === 'aborting');
  if (isLeft) return badge(status === 'waits' ? 'not begun' : 'broken off', 'off');
  if (whole === 'paused' && status !== 'over' && status !== 'waits') return badge('paused');
  const until = status === 'soaks' && soakUntil !== null;
  return html`${badge(status, TONES[status])}${until && html` <span class="quiet">until ${clockTime(soakUntil)} (${relative(soakUntil, now)})</span>`}`;
}
