import { mirrorsSchema } from '../../contract/mirrors.ts';
import { type WebhookView, webhookListSchema } from '../../contract/webhooks.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { live } from '../parts/facts.ts';
import { nothing, table } from '../parts/table.ts';
import { ago } from '../parts/time.ts';
import type { Site } from '../site.ts';

type Place = {
  readonly path: string;
  readonly name: string;
  readonly what: string;
  readonly forAdmins: boolean;
};

const PLACES: readonly Place[] = [
  { path: '/profiles', name: 'Profiles', what: 'settings for many hosts at once', forAdmins: false },
  {
    path: '/discovery/rules',
    name: 'Discovery rules',
    what: 'what becomes of machines that nobody has enrolled',
    forAdmins: false,
  },
  { path: '/mirrors', name: 'Mirrors', what: 'where hosts ask for images first', forAdmins: false },
  { path: '/tokens', name: 'Tokens', what: 'who may use the API and these pages', forAdmins: true },
  { path: '/webhooks', name: 'Webhooks', what: 'who is told of events', forAdmins: true },
];

/** What is set once and looked at rarely. Webhooks and mirrors are changed on the command line. */
export function addSettings({ look }: Site): void {
  look('/settings', ({ mayAdminister, page }) =>
    page({
      title: 'Settings',
      body: html`<ul class="lines card">${PLACES.filter(({ forAdmins }) => mayAdminister || !forAdmins).map(
        ({ path, name, what }) =>
          html`<li><a href="${path}">${name}</a> <span class="quiet">${what}</span></li>`,
      )}</ul>`,
    }),
  );

  look('/webhooks', async ({ api, now, page, refusal }) => {
    const told = await api.get('/api/v1/webhooks', webhookListSchema);
    if (!told.ok) return refusal(told);
    const { webhooks } = told.value;
    return page({
      title: 'Webhooks',
      live: {
        events: {
          kind: ['webhook-added', 'webhook-changed', 'webhook-removed', 'webhook-disabled', 'webhook-lost'],
        },
        everyMs: 10_000,
      },
      body: html`${live('webhooks', webhooks.length === 0 ? nothing('Nobody is told of events.') : webhookTable(webhooks, now))}
<p class="quiet">Changed on the command line: <code>warmboot webhook add URL --kind attempt-ended</code>; see <code>warmboot webhook --help</code>.</p>`,
    });
  });

  look('/mirrors', async ({ api, page, refusal }) => {
    const told = await api.get('/api/v1/mirrors', mirrorsSchema);
    if (!told.ok) return refusal(told);
    const { mirrors } = told.value;
    return page({
      title: 'Mirrors',
      live: { events: { kind: 'mirrors-changed' } },
      body: html`${live(
        'mirrors',
        mirrors.length === 0
          ? nothing('There are no mirrors: every host asks this server.')
          : table(
              'Mirrors: the first that fits a host counts',
              [
                { head: 'Mirror', names: true, cell: ({ name }: (typeof mirrors)[number]) => name },
                { head: 'Hosts with', as: 'wide', cell: ({ selector }) => selector || 'any labels' },
                { head: 'Address', as: 'code', cell: ({ url }) => url },
              ],
              mirrors,
              ({ name }) => name,
            ),
      )}
<p class="quiet">Changed by the API: <code>PUT /api/v1/mirrors</code>, as the page on caching describes it.</p>`,
    });
  });
}

function webhookTable(webhooks: readonly WebhookView[], now: number): Html {
  return table(
    'Webhooks',
    [
      { head: 'Address', names: true, as: 'wide', cell: ({ url }: WebhookView) => url },
      { head: 'Events', as: 'wide', cell: ({ kinds }) => kinds?.join(', ') ?? 'all' },
      { head: 'Hosts with', cell: ({ selector }) => selector ?? 'any labels' },
      { head: 'Status', as: 'wide', cell: statusOf },
      { head: 'Delivered', as: 'number', cell: ({ delivered }) => delivered },
      { head: 'Behind', as: 'number', cell: ({ behind }) => behind },
      { head: 'Lost', as: 'number', cell: ({ lost }) => lost },
      {
        head: 'Last try',
        as: 'wide',
        cell: ({ last }) => last && html`${ago(last.at, now)} ${last.error ?? last.status}`,
      },
    ],
    webhooks,
    ({ id }) => id,
  );
}

function statusOf({ enabled, reason, failures, nextAt }: WebhookView): Html {
  if (!enabled) return html`${badge('disabled', 'off')} <span>${reason}</span>`;
  if (failures === 0) return badge('enabled', 'good');
  return html`${badge(`failed ${failures} times`, 'warn')}${nextAt !== null && ' is tried again'}`;
}
