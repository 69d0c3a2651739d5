import { EVENT_KINDS, type EventView, eventListSchema } from '../../contract/events.ts';
import { at as addressOf } from '../api.ts';
import { html, type Part } from '../html.ts';
import { live } from '../parts/facts.ts';
import { filterForm, select, textField } from '../parts/form.ts';
import { nothing, table } from '../parts/table.ts';
import { moment } from '../parts/time.ts';
import type { Site } from '../site.ts';

const SHOWN = 100;
const ANY = { value: '', label: 'any' };

/** What happened, newest first, as it happens. */
export function addEvents({ look }: Site): void {
  look('/events', async ({ api, page, query, refusal }) => {
    const host = query('host');
    const kind = query('kind');
    const filter = { ...(host !== '' && { host }), ...(kind !== '' && { kind }) };
    const told = await api.get('/api/v1/events', eventListSchema, { ...filter, limit: SHOWN });
    const form = filterForm(
      '/events',
      [
        textField('host', 'Host', host, html` placeholder="52:54:00:12:34:56" size="17"`),
        select('kind', 'Kind', [ANY, ...EVENT_KINDS], kind),
      ],
      host !== '' || kind !== '',
    );
    if (!told.ok) {
      if (told.status >= 500) return refusal(told);
      const body = html`${form}<p class="notice bad" role="alert">${told.detail}</p>`;
      return page({ title: 'Events', status: told.status === 404 ? 404 : 400, body });
    }
    const events = told.value.events.toReversed();
    return page({
      title: 'Events',
      body: html`${form}${live('events', events.length === 0 ? nothing('No event fits.') : eventTable(events))}`,
      live: { events: filter },
    });
  });
}

function eventTable(events: readonly EventView[]) {
  return table(
    `The newest ${events.length} events`,
    [
      { head: 'Time', cell: ({ at }: EventView) => moment(at) },
      { head: 'Kind', cell: ({ kind }) => kind, names: true },
      { head: 'By', cell: ({ actor, by }) => by ?? actor },
      { head: 'Host', cell: hostOf, as: 'code' },
      { head: 'What', cell: ({ reason }) => reason, as: 'wide' },
    ],
    events,
    ({ id }) => String(id),
  );
}

/** A host that is gone is known by its id alone. */
function hostOf({ host, mac }: EventView): Part {
  return mac ? html`<a href="${addressOf`/hosts/${mac}`}">${mac}</a>` : host;
}
