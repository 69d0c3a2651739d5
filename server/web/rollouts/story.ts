import type { EventView } from '../../contract/events.ts';
import { type Html, html } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { nothing } from '../parts/table.ts';
import { moment } from '../parts/time.ts';
import { hostLink, withHostLinks } from './names.ts';

/** What the log says of a rollout. */

/** Who was meant and does not take part. */
export type LeftOut = { readonly mac: string; readonly reason: string };

/** As the event of its beginning names them; whatever else it may hold is passed over. */
export function leftOutOf(events: readonly EventView[]): readonly LeftOut[] {
  const began = events.find(({ kind }) => kind === 'rollout-began');
  const groups = began?.data.leftOut;
  if (!Array.isArray(groups)) return [];
  return groups.flatMap(({ reason, macs }: { reason?: unknown; macs?: unknown }) =>
    Array.isArray(macs) ? macs.map((mac) => ({ mac: String(mac), reason: String(reason) })) : [],
  );
}

const WORDS: Readonly<Record<string, string | undefined>> = {
  'rollout-began': 'began',
  'rollout-wave': 'wave',
  'rollout-paused': 'paused',
  'rollout-resumed': 'resumed',
  'rollout-aborted': 'aborted',
  'rollout-ended': 'ended',
};

/** Newest first. */
export function storyOf(events: readonly EventView[], leftOut: readonly LeftOut[]): Html {
  if (events.length === 0) return nothing('The log does not go back so far.');
  const lines = events
    .toReversed()
    .map(
      ({ id, at, kind, reason, by, actor }) =>
        html`<li data-key="${id}">${moment(at)} <span><strong>${WORDS[kind] ?? kind}</strong> by ${by ?? `the ${actor}`}${reason !== '' && html`: ${withHostLinks(reason)}`}</span></li>`,
    );
  return html`<ul class="lines">${lines}</ul>${leftOut.length > 0 && leftOutList(leftOut)}`;
}

/** Open at once while they are few. */
export function leftOutList(leftOut: readonly LeftOut[]): Html {
  return html`<details data-key="left-out"${leftOut.length <= 5 && html` open`}><summary>${count(leftOut.length, 'host')} left out</summary>
<ul class="lines">${leftOut.map(({ mac, reason }) => html`<li data-key="${mac}">${hostLink(mac)} <span>${reason}</span></li>`)}</ul></details>`;
}
