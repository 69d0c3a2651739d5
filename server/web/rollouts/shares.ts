import type { RolloutView } from '../../contract/rollouts.ts';
import { type Html, html } from '../html.ts';

/** Where the hosts of a rollout stand, put together as an operator looks at them, and drawn. */

type Counts = RolloutView['states'];
type MemberState = keyof Counts;

/** In the order of a bar, from what is done to what is to come. What went wrong is higher than the rest: no colour has to be seen. */
const GROUPS = [
  { key: 'there', word: 'there', height: 10, states: ['succeeded'] },
  {
    key: 'moving',
    word: 'on their way',
    height: 7,
    states: ['installing', 'staging', 'switching', 'confirming'],
  },
  { key: 'failed', word: 'failed', height: 16, states: ['failed'] },
  { key: 'back', word: 'rolled back', height: 16, states: ['rolled-back'] },
  { key: 'skipped', word: 'skipped', height: 2, states: ['skipped'] },
  { key: 'held', word: 'held', height: 4, states: ['held'] },
  { key: 'waiting', word: 'waiting', height: 4, states: ['waiting'] },
] as const satisfies readonly {
  key: string;
  word: string;
  height: number;
  states: readonly MemberState[];
}[];

export type Share = {
  readonly key: (typeof GROUPS)[number]['key'];
  readonly word: string;
  /** Of the bar, in its units. */
  readonly height: number;
  readonly hosts: number;
};

export function sharesOf(counts: Counts): readonly Share[] {
  return GROUPS.map(({ key, word, height, states }) => ({
    key,
    word,
    height,
    hosts: states.reduce((sum, state) => sum + counts[state], 0),
  }));
}

/** Hosts with an open order of the rollout. */
export function movingIn(counts: Counts): number {
  return sharesOf(counts).find(({ key }) => key === 'moving')?.hosts ?? 0;
}

/** `12 of 40 there, 4 on their way, 1 failed`: what is none is not said, nor what waits. */
export function countsText(counts: Counts, hosts: number): string {
  const [there, ...others] = sharesOf(counts);
  const said = others.filter(({ key, hosts: count }) => key !== 'waiting' && count > 0);
  return [`${there?.hosts ?? 0} of ${hosts} there`, ...said.map((each) => `${each.hosts} ${each.word}`)].join(
    ', ',
  );
}

/** The colours of a bar, each with its word and its number; what is none is not said. */
export function legend(counts: Counts): Html {
  const present = sharesOf(counts).filter(({ hosts }) => hosts > 0);
  return html`<ul class="legend">${present.map(
    ({ key, word, height, hosts }) =>
      html`<li data-key="${key}"><svg viewBox="0 0 16 ${HEIGHT}" width="16" height="16" aria-hidden="true" focusable="false"><rect class="share-${key}" x="0" y="${(HEIGHT - height) / 2}" width="16" height="${height}"/></svg><strong>${hosts}</strong> ${word}</li>`,
  )}</ul>`;
}

const WIDTH = 1000;
const HEIGHT = 16;
/** One failure among ten thousand is still to be seen. */
const LEAST_SHARE = 8;
/** So is a canary. */
const LEAST_WAVE = 24;

/** A bar of all hosts, to scale. Numbers beside it say the same: it is hidden from who reads with ears. */
export function bar(counts: Counts): Html {
  return drawn(rects(counts, 0, WIDTH));
}

/** A bar for each wave, each beginning where the one before it ends: together they are a stair that all hosts walk down. */
export function stair(waves: RolloutView['waves']): Html[] {
  const widths = scaled(
    waves.map(({ hosts }) => hosts),
    WIDTH,
    LEAST_WAVE,
  );
  return waves.map(({ states }, at) => {
    const from = widths.slice(0, at).reduce((sum, width) => sum + width, 0);
    return drawn(rects(states, from, widths[at] ?? 0));
  });
}

function drawn(inside: Html[]): Html {
  return html`<svg class="shares" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="share-none" x="0" y="${HEIGHT / 2 - 0.5}" width="${WIDTH}" height="1"/>${inside}</svg>`;
}

function rects(counts: Counts, from: number, width: number): Html[] {
  const present = sharesOf(counts).filter(({ hosts }) => hosts > 0);
  const widths = scaled(
    present.map(({ hosts }) => hosts),
    width,
    Math.min(LEAST_SHARE, width / present.length),
  );
  let x = from;
  return present.map(({ key, height }, at) => {
    const wide = widths[at] ?? 0;
    const rect = html`<rect class="share-${key}" x="${round(x)}" y="${(HEIGHT - height) / 2}" width="${wide}" height="${height}"/>`;
    x += wide;
    return rect;
  });
}

/** The sizes as parts of `width`, each at least `least`: what that takes the large ones give, each by its size. */
export function scaled(sizes: readonly number[], width: number, least: number): number[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total === 0) return sizes.map(() => 0);
  const bare = sizes.map((size) => (size / total) * width);
  const missing = bare.reduce((sum, each) => sum + Math.max(0, least - each), 0);
  const spare = bare.reduce((sum, each) => sum + Math.max(0, each - least), 0);
  const keep = spare > 0 ? 1 - missing / spare : 1;
  return bare.map((each) => round(each <= least ? least : least + (each - least) * keep));
}

function round(units: number): number {
  return Math.round(units * 100) / 100;
}
