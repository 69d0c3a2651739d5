import type { EventView } from '../../contract/events.ts';
import type { HostView } from '../../contract/hosts.ts';
import type { ImageView } from '../../contract/images.ts';
import type { StatusView } from '../../contract/status.ts';
import { bytes } from '../../words/quantity.ts';
import { type Html, html, type Part } from '../html.ts';
import { count } from '../parts/amounts.ts';
import { badge } from '../parts/badge.ts';
import { facts } from '../parts/facts.ts';
import { nothing } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import { hostLink, pathOfRollout, withHostLinks } from '../rollouts/names.ts';

/** The parts of the overview. */

export function hostCounts(hosts: StatusView['hosts']): Html {
  const states = Object.entries(hosts).filter(([, number]) => number > 0);
  if (states.length === 0)
    return nothing(
      'No host is enrolled yet. Let a machine boot from the network: it appears under Discovery.',
    );
  return html`<ul class="counts">${states.map(
    ([state, number]) =>
      html`<li data-key="${state}"><a href="${hrefOf(state)}"><strong>${number.toLocaleString('en')}</strong> ${badge(state)}</a></li>`,
  )}</ul>`;
}

/** Machines that nobody approved are on a page of their own. */
function hrefOf(state: string): string {
  if (state === 'discovered') return '/discovery';
  return state === 'ignored' ? '/discovery?state=ignored' : `/hosts?state=${state}`;
}

export function rolloutList(rollouts: StatusView['rollouts']): Html {
  if (rollouts.length === 0) return nothing('None.');
  return html`<ul class="lines">${rollouts.map(
    ({ id, name, status, wave, waveCount, reason }) =>
      html`<li data-key="${id}"><a href="${pathOfRollout(id)}">${name ?? id}</a> ${badge(status)} <span>wave ${wave} of ${waveCount}</span>${reason !== '' && html` <span class="quiet">${withHostLinks(reason)}</span>`}</li>`,
  )}</ul>`;
}

/** @param all how many wait, of which some are shown */
export function waitingList(machines: readonly HostView[], all: number, now: number): Html {
  if (machines.length === 0) return nothing('None.');
  const more = all - machines.length;
  return html`<ul class="lines">${machines.map(
    ({ mac, lastSeen }) =>
      html`<li data-key="${mac}">${hostLink(mac)} <span class="quiet">seen ${ago(lastSeen, now)}</span></li>`,
  )}</ul><p><a href="/discovery">${more > 0 ? `See all ${count(all, 'machine')}` : 'See what they are'}</a></p>`;
}

export function isFailure({ data: { outcome } }: EventView): boolean {
  return outcome === 'failed' || outcome === 'rolled-back';
}

export function failureList(failures: readonly EventView[], now: number): Html {
  if (failures.length === 0) return nothing('No attempt failed lately.');
  return html`<ul class="lines">${failures.map(
    ({ id, at, reason, data }) =>
      html`<li data-key="${id}">${ago(at, now)} ${typeof data.mac === 'string' && hostLink(data.mac)} ${badge(String(data.outcome))} <span>${reason}</span></li>`,
  )}</ul>`;
}

/** What keeps the server from its work. */
export function troubleList({ checks }: StatusView): Part {
  return Object.entries(checks)
    .filter(([, { ok }]) => !ok)
    .map(
      ([name, { detail }]) =>
        html`<p class="notice bad" data-key="check-${name}"><strong>${name}</strong>: ${detail ?? 'not ready'}</p>`,
    );
}

export function damagedImages(images: readonly ImageView[]): Part {
  if (images.length === 0) return null;
  return html`<p class="notice bad" data-key="damaged">Damaged: ${images.map(
    ({ digest, tags }) => html`<a href="/images/${encodeURIComponent(digest)}">${tags[0] ?? digest}</a> `,
  )} No host can be brought there until it is built, imported or pushed again.</p>`;
}

export function serverFacts(status: StatusView, now: number): Html {
  const { version, startedAt, openAttempts, transfers, images, boot } = status;
  const tftp = boot?.tftp;
  const proxy = boot?.proxyDhcp;
  return facts([
    ['Version', html`${version}, started ${ago(startedAt, now)}`],
    ['At work', count(openAttempts, 'open attempt')],
    [
      'Sending',
      `${count(transfers.active, 'transfer')}; ${count(transfers.waiting, 'host waits', 'hosts wait')} for a turn`,
    ],
    [
      'Images',
      html`<a href="/images">${count(images.count, 'image')}</a>, ${bytes(images.storedBytes)} on the disk, ${bytes(images.freeBytes)} free`,
    ],
    ['Boot plane', boot?.url ?? 'off: no host can reach this server'],
    ['TFTP', tftp ? `${tftp.host}:${tftp.port}, ${count(tftp.transfers, 'transfer')}` : 'off'],
    ['proxyDHCP', proxy ? [...proxy.interfaces, ...(proxy.relayed ? ['relayed'] : [])].join(', ') : 'off'],
  ]);
}
