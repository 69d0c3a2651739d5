import type { HostView } from '../../contract/hosts.ts';
import { type Html, html, type Part } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { hostPath } from './words.ts';

/** Hosts to which the same would happen. */
export type Group = { readonly what: Part; readonly hosts: readonly HostView[] };

/** So many are shown at once; all can be opened. */
const NAMED = 6;
const MOST_NAMED = 500;

/** Puts together those for whom `keyOf` says the same, in the order in which they come. */
export function grouped(
  hosts: readonly HostView[],
  keyOf: (host: HostView) => string,
): ReadonlyMap<string, readonly HostView[]> {
  const groups = new Map<string, HostView[]>();
  for (const host of hosts) {
    const key = keyOf(host);
    const group = groups.get(key);
    if (group) group.push(host);
    else groups.set(key, [host]);
  }
  return groups;
}

/** One line for each group: how many, what of them, and which they are. */
export function groupList(groups: readonly Group[]): Html {
  return html`<ul class="groups">${groups.map(
    ({ what, hosts }) =>
      html`<li><strong>${count(hosts.length, 'host')}</strong> ${what}${named(hosts)}</li>`,
  )}</ul>`;
}

function named(hosts: readonly HostView[]): Html {
  const link = (host: HostView) => html`<a href="${hostPath(host)}">${host.mac}</a> `;
  if (hosts.length <= NAMED) return html`<div class="macs">${hosts.map(link)}</div>`;
  const more = hosts.length - MOST_NAMED;
  return html`<details><summary>which ones</summary><div class="macs">${hosts.slice(0, MOST_NAMED).map(link)}${more > 0 && html`<span class="quiet">and ${count(more, 'more', 'more')}</span>`}</div></details>`;
}
