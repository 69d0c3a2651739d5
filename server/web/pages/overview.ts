import { eventListSchema } from '../../contract/events.ts';
import { statusSchema } from '../../contract/status.ts';
import { html } from '../html.ts';
import { bytes, count } from '../parts/amounts.ts';
import { badge } from '../parts/badge.ts';
import { facts, live, section } from '../parts/facts.ts';
import { nothing } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import type { Site } from '../site.ts';

/** How the fleet is, at one look; everything leads to the page that says more. */
export function addOverview({ look }: Site): void {
  look('/', async ({ api, page, refusal, now }) => {
    const [told, ended] = await Promise.all([
      api.get('/api/v1/status', statusSchema),
      api.get('/api/v1/events', eventListSchema, { kind: 'attempt-ended', limit: 100 }),
    ]);
    if (!told.ok) return refusal(told);
    const { hosts, rollouts, images, transfers, checks, version, startedAt } = told.value;
    const states = Object.entries(hosts).filter(([, number]) => number > 0);
    const failures = ended.ok
      ? ended.value.events
          .filter(({ data }) => isFailure(data))
          .slice(-8)
          .reverse()
      : [];
    const troubles = Object.entries(checks).filter(([, { ok }]) => !ok);
    return page({
      title: 'Overview',
      live: {},
      body: live('overview', [
        troubles.map(
          ([name, { detail }]) => html`<p class="notice bad">${name}: ${detail ?? 'not ready'}</p>`,
        ),
        section(
          'hosts',
          'Hosts',
          states.length === 0
            ? nothing(
                'No host is enrolled yet. Let a machine boot from the network: it appears under Discovery.',
              )
            : html`<ul class="counts">${states.map(
                ([state, number]) =>
                  html`<li data-key="${state}"><a href="/hosts?state=${state}"><strong>${number}</strong> ${badge(state)}</a></li>`,
              )}</ul>`,
        ),
        section(
          'rollouts',
          'Rollouts under way',
          rollouts.length === 0
            ? nothing('None.')
            : html`<ul class="lines">${rollouts.map(
                ({ id, name, status, wave, waveCount, reason }) =>
                  html`<li data-key="${id}"><a href="/rollouts/${id}">${name ?? id}</a> ${badge(status)} wave ${wave} of ${waveCount} <span class="quiet">${reason}</span></li>`,
              )}</ul>`,
        ),
        section(
          'failures',
          'Newest failures',
          failures.length === 0
            ? nothing('No attempt failed lately.')
            : html`<ul class="lines">${failures.map(
                ({ id, at, reason }) =>
                  html`<li data-key="${id}">${ago(at, now)} <span>${reason}</span></li>`,
              )}</ul>`,
        ),
        section(
          'server',
          'Server',
          facts([
            ['Version', version],
            ['Started', ago(startedAt, now)],
            [
              'Images',
              html`<a href="/images">${images.count}</a>, ${bytes(images.storedBytes)}; ${bytes(images.freeBytes)} free`,
            ],
            [
              'Sending',
              `${count(transfers.active, 'transfer')}, ${count(transfers.waiting, 'host waits', 'hosts wait')}`,
            ],
          ]),
        ),
      ]),
    });
  });
}

function isFailure({ outcome }: Readonly<Record<string, unknown>>): boolean {
  return outcome === 'failed' || outcome === 'rolled-back';
}
