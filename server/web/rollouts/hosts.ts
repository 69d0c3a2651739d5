import type { RolloutHostView, RolloutView } from '../../contract/rollouts.ts';
import { queryText } from '../api.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { pager } from '../parts/pager.ts';
import { nothing, table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import { hostLink, namedImage } from './names.ts';

/** The hosts of a rollout, in the order in which they are taken, all of them or those in one state. */

type Shown = { readonly path: string; readonly state: string; readonly cursor: string; readonly now: number };

const STATES = [
  'installing',
  'staging',
  'switching',
  'confirming',
  'failed',
  'rolled-back',
  'held',
  'skipped',
  'waiting',
  'succeeded',
] as const satisfies readonly (keyof RolloutView['states'])[];

export function isStateOfHost(text: string): boolean {
  return (STATES as readonly string[]).includes(text);
}

export function rolloutHosts(
  rollout: RolloutView,
  { hosts, next }: { readonly hosts: readonly RolloutHostView[]; readonly next: string | null },
  { path, state, cursor, now }: Shown,
): Html {
  return html`${states(rollout, path, state)}
${hosts.length === 0 ? nothing(state === '' ? 'No host.' : `No host is ${state} now.`) : hostTable(hosts, now)}
${pager(path, { state }, { isFirst: cursor === '', next })}`;
}

/** Links to the hosts in each state that has some. */
function states({ states: counts, hosts }: RolloutView, path: string, chosen: string): Html {
  const shown = STATES.filter((state) => counts[state] > 0 || state === chosen);
  const link = (state: string, count: number, label: Html) =>
    html`<li data-key="${state}"><a href="${path}${queryText({ state })}#h-members"${state === chosen && html` aria-current="true"`}><strong>${count}</strong> ${label}</a></li>`;
  return html`<nav aria-label="Hosts by state"><ul class="counts">${link('', hosts, html`all`)}${shown.map((state) => link(state, counts[state], badge(state)))}</ul></nav>`;
}

function hostTable(hosts: readonly RolloutHostView[], now: number): Html {
  return table(
    'Hosts of the rollout',
    [
      { head: 'Host', cell: ({ mac }: RolloutHostView) => hostLink(mac), names: true },
      { head: 'Wave', cell: ({ wave }) => String(wave), as: 'number' },
      { head: 'State', cell: ({ state }) => badge(state) },
      { head: 'Why', cell: ({ reason }) => reason, as: 'wide' },
      { head: 'Before', cell: ({ before }) => before && namedImage(before) },
      { head: 'Seen', cell: ({ lastSeen }) => ago(lastSeen, now) },
    ],
    hosts,
    ({ host }) => host,
  );
}
