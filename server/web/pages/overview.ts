import { type EventView, eventListSchema } from '../../contract/events.ts';
import { type StatusView, statusSchema } from '../../contract/status.ts';
import { at } from '../api.ts';
import { type Html, html, type Part } from '../html.ts';
import { bytes, count } from '../parts/amounts.ts';
import { badge } from '../parts/badge.ts';
import { facts, live, section } from '../parts/facts.ts';
import { nothing } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import type { Site } from '../site.ts';

/** Among so many attempts that ended last, the failures are looked for. */
const ENDED = 200;
const FAILURES = 8;

/** How the fleet is, at one look; everything leads to the page that says more. */
export function addOverview({ look }: Site): void {
  look('/', async ({ api, page, refusal, now }) => {
    const [status, ended] = await Promise.all([
      api.get('/api/v1/status', statusSchema),
      api.get('/api/v1/events', eventListSchema, { kind: 'attempt-ended', limit: ENDED }),
    ]);
    if (!status.ok) return refusal(status);
    if (!ended.ok) return refusal(ended);
    const body = [
      troubles(status.value),
      section('hosts', 'Hosts', hostCounts(status.value)),
      html`<div class="grid">${section('rollouts', 'Rollouts under way', rollouts(status.value))}
${section('server', 'Server', server(status.value, now))}</div>`,
      section('failures', 'Newest failures', failures(ended.value.events, now)),
    ];
    return page({ title: 'Overview', live: {}, body: live('overview', body) });
  });
}

function troubles({ checks }: StatusView): Part {
  return Object.entries(checks)
    .filter(([, { ok }]) => !ok)
    .map(
      ([name, { detail }]) =>
        html`<p class="notice bad" data-key="${name}">Not ready (${name}): ${detail ?? 'no reason is known.'}</p>`,
    );
}

function hostCounts({ hosts }: StatusView): Html {
  const states = Object.entries(hosts).filter(([, number]) => number > 0);
  if (states.length === 0)
    return nothing(
      html`No host is enrolled yet. Let a machine boot from the network: it appears under <a href="/discovery">Discovery</a>.`,
    );
  return html`<ul class="counts">${states.map(
    ([state, number]) =>
      // Who waits for somebody to decide has a page of its own.
      html`<li data-key="${state}"><a href="${state === 'discovered' ? '/discovery' : `/hosts?state=${state}`}"><strong>${number.toLocaleString('en')}</strong> ${badge(state)}</a></li>`,
  )}</ul>`;
}

function rollouts({ rollouts }: StatusView): Html {
  if (rollouts.length === 0) return nothing('None.');
  return html`<ul class="lines">${rollouts.map(
    ({ id, name, status, wave, waveCount, reason }) =>
      html`<li data-key="${id}"><a href="${at`/rollouts/${id}`}">${name ?? id}</a> ${badge(status)} <span>wave ${wave} of ${waveCount}</span> <span class="quiet">${reason}</span></li>`,
  )}</ul>`;
}

function failures(ended: readonly EventView[], now: number): Html {
  const failed = ended.filter(({ data }) => data.outcome === 'failed' || data.outcome === 'rolled-back');
  if (failed.length === 0)
    return nothing(`None among the ${count(ended.length, 'attempt')} that ended last.`);
  return html`<ul class="lines">${failed
    .toReversed()
    .slice(0, FAILURES)
    .map(
      (event) =>
        html`<li data-key="${event.id}">${ago(event.at, now)} ${hostOf(event)} ${badge(String(event.data.outcome))} <span>${event.reason}</span></li>`,
    )}</ul>`;
}

function hostOf({ mac, host }: EventView): Html {
  return mac
    ? html`<a class="code" href="${at`/hosts/${mac}`}">${mac}</a>`
    : html`<span class="code">${host}</span>`;
}

function server({ version, startedAt, openAttempts, images, transfers }: StatusView, now: number): Html {
  return facts([
    ['Version', version],
    ['Started', ago(startedAt, now)],
    ['Attempts', `${openAttempts.toLocaleString('en')} open`],
    ['Images', html`<a href="/images">${count(images.count, 'image')}</a>, ${bytes(images.storedBytes)}`],
    ['Free', bytes(images.freeBytes)],
    [
      'Sending',
      `${count(transfers.active, 'transfer')}, ${count(transfers.waiting, 'host waits', 'hosts wait')}`,
    ],
  ]);
}
