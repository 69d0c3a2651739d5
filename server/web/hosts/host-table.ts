import type { HostView } from '../../contract/hosts.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { type Column, table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import type { ImageNames } from './image-names.ts';
import { hostPath, labelText, running, slotWords, wanted, why } from './words.ts';

/** The form that boxes of rows belong to: it stands behind the table, and is sent by what is done with many hosts. */
export const CHOSEN = 'chosen';

const LABELS_SHOWN = 4;

/** @param isChoosing whether rows can be ticked */
export function hostTable(
  hosts: readonly HostView[],
  names: ImageNames,
  now: number,
  isChoosing: boolean,
): Html {
  const tick: Column<HostView> = {
    head: html`<input type="checkbox" data-all hidden aria-label="Choose all of this page">`,
    cell: ({ mac }) =>
      html`<label class="tick"><input type="checkbox" name="mac" value="${mac}" form="${CHOSEN}"><span class="unseen">Choose ${mac}</span></label>`,
  };
  const columns: readonly Column<HostView>[] = [
    ...(isChoosing ? [tick] : []),
    { head: 'Host', names: true, cell: nameCell },
    { head: 'State', cell: ({ state }) => badge(state) },
    { head: 'OS wanted', cell: wanted },
    { head: 'OS running', cell: (host) => running(host, names) },
    { head: 'Slots', cell: slotCell },
    { head: 'Why', as: 'wide', cell: why },
    { head: 'Seen', cell: ({ lastSeen }) => ago(lastSeen, now) },
  ];
  return table('Hosts', columns, hosts, ({ mac }) => mac);
}

function nameCell(host: HostView): Html {
  const labels = labelText(host.labels);
  const more = labels.length - LABELS_SHOWN;
  return html`<a class="host" href="${hostPath(host)}">${host.mac}</a>${
    labels.length > 0 &&
    html` <span class="labels">${labels.slice(0, LABELS_SHOWN).map((label) => html`<span class="label">${label}</span> `)}${more > 0 && html`<span class="quiet">and ${more} more</span>`}</span>`
  }`;
}

function slotCell(host: HostView): Html {
  const slots = slotWords(host);
  if (slots.length === 0) return html`<span class="quiet">not known</span>`;
  return html`<ul class="slots">${slots.map(([slot, words]) => html`<li><b>${slot}</b> ${words}</li>`)}</ul>`;
}
