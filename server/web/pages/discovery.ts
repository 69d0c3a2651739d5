import { policySchema } from '../../contract/discovery.ts';
import { type StatusView, statusSchema } from '../../contract/status.ts';
import {
  diskList,
  firmwareText,
  machineName,
  nicList,
  processorText,
  serialText,
} from '../discovery/inventory-words.ts';
import { type Machine, machinesIn } from '../discovery/machines.ts';
import { type Html, html, type Part } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { live } from '../parts/facts.ts';
import { pager } from '../parts/pager.ts';
import { type Column, nothing, table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import { hostLink } from '../rollouts/names.ts';
import type { Site } from '../site.ts';

/** What makes the list another one. */
const EVENTS = [
  'discovered',
  'discovery-decided',
  'discovery-changed',
  'machine-changed',
  'merged',
  'merge-refused',
  'approved',
  'forgotten',
  'host-removed',
];

/** Machines that wait for an operator's word, or that are ignored. */
export function addDiscovery({ look }: Site): void {
  look('/discovery', async ({ api, mayOperate, now, page, query, refusal }) => {
    const state = query('state') === 'ignored' ? 'ignored' : 'discovered';
    const cursor = query('cursor');
    const [told, status, policy] = await Promise.all([
      machinesIn(api, state, cursor),
      api.get('/api/v1/status', statusSchema),
      api.get('/api/v1/discovery', policySchema),
    ]);
    if (!told.ok) return refusal(told);
    const { machines, next } = told.value;
    const filter = state === 'ignored' ? { state } : {};
    return page({
      title: state === 'ignored' ? 'Ignored machines' : 'Discovery',
      actions: html`<a class="button" href="/discovery/rules">Rules${policy.ok && ` (${policy.value.rules.length})`}</a>`,
      live: { events: { kind: EVENTS } },
      body: html`${live('counts', status.ok && tabs(status.value.hosts, state))}
<form method="get" action="/discovery/approve" class="machines">${live('machines', [
        machines.length === 0
          ? nothing(emptyWords(state, policy.ok ? policy.value.otherwise : 'hold'))
          : machineTable(machines, now, mayOperate),
        pager('/discovery', filter, { isFirst: cursor === '', next }),
      ])}
${mayOperate && deeds(state)}</form>`,
    });
  });
}

function tabs({ discovered, ignored }: StatusView['hosts'], state: 'discovered' | 'ignored'): Html {
  const tab = (href: string, number: number, word: string, isHere: boolean) =>
    html`<li data-key="${word}"><a href="${href}"${isHere && html` aria-current="page"`}><strong>${number}</strong> ${word}</a></li>`;
  return html`<nav aria-label="Machines"><ul class="counts">${tab('/discovery', discovered, discovered === 1 ? 'waits' : 'wait', state === 'discovered')}${tab('/discovery?state=ignored', ignored, 'ignored', state === 'ignored')}</ul></nav>`;
}

function emptyWords(state: 'discovered' | 'ignored', otherwise: 'hold' | 'ignore'): string {
  if (state === 'ignored') return 'No machine is ignored.';
  return `No machine waits. Let one boot from the network: it says what it is and ${otherwise === 'hold' ? 'appears here' : 'is ignored, unless a rule fits'}.`;
}

/** They only lead to a page that says what would happen, to those that are ticked. */
function deeds(state: 'discovered' | 'ignored'): Html {
  return html`<div class="buttons"><button class="primary">Approve the ticked…</button> ${
    state === 'discovered'
      ? html`<button formaction="/discovery/ignore">Ignore the ticked…</button>`
      : html`<button formaction="/discovery/wait">Let the ticked wait again…</button>`
  }</div>`;
}

function machineTable(machines: readonly Machine[], now: number, mayOperate: boolean): Html {
  const tick: Column<Machine> = {
    head: html`<span class="unseen">Choose</span>`,
    cell: ({ host }) =>
      html`<input type="checkbox" name="mac" value="${host.mac}" aria-label="Choose ${host.mac}">`,
  };
  const said = (tell: (inventory: NonNullable<Machine['inventory']>) => Part) => (machine: Machine) =>
    machine.inventory && tell(machine.inventory);
  return table(
    count(machines.length, 'machine'),
    [
      ...(mayOperate ? [tick] : []),
      { head: 'Machine', names: true, as: 'wide', cell: nameCell },
      { head: 'Disks', as: 'wide', cell: said(({ disks }) => diskList(disks)) },
      { head: 'Network', cell: said(({ nics }) => nicList(nics)) },
      {
        head: 'Rules',
        as: 'wide',
        cell: ({ ruling, inventory }: Machine) =>
          html`<div>${ruling}${inventory && html`<br><span class="quiet">said ${ago(inventory.at, now)}, from ${inventory.address}</span>`}</div>`,
      },
    ],
    machines,
    ({ host }) => host.mac,
  );
}

function nameCell({ host, inventory }: Machine): Html {
  return html`<div>${hostLink(host.mac)} <div class="thin">${
    inventory === null
      ? 'has not said what it is'
      : html`${machineName(inventory)}, ${serialText(inventory)}<br><span class="quiet">${processorText(inventory)}, ${firmwareText(inventory)}</span>`
  }</div></div>`;
}
