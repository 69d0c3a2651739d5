import { EVENT_KINDS, type EventView, eventListSchema } from '../../contract/events.ts';
import { at as addressOf, queryText } from '../api.ts';
import { type Html, html, type Part } from '../html.ts';
import { live } from '../parts/facts.ts';
import { filterForm, select, textField } from '../parts/form.ts';
import { nothing, table } from '../parts/table.ts';
import { moment } from '../parts/time.ts';
import type { Site } from '../site.ts';

const SHOWN = 100;
const ANY = { value: '', label: 'any' };
const ACTORS = ['operator', 'host', 'server'];
const FILTERS = ['host', 'kind', 'actor', 'by', 'attempt'] as const;
type Filter = Readonly<Record<(typeof FILTERS)[number], string>>;

/** What happened, newest first, as it happens. */
export function addEvents({ look }: Site): void {
  look('/events', async ({ api, page, query, refusal }) => {
    const filter = Object.fromEntries(FILTERS.map((name) => [name, query(name)])) as Filter;
    const before = query('before');
    const told = await api.get('/api/v1/events', eventListSchema, { ...filter, before, limit: SHOWN });
    const form = eventFilter(filter);
    if (!told.ok) {
      if (told.status >= 500) return refusal(told);
      const body = html`${form}<p class="notice bad" role="alert">${told.detail}</p>`;
      return page({ title: 'Events', status: told.status === 404 ? 404 : 400, body });
    }
    const events = told.value.events.toReversed();
    const list = events.length === 0 ? nothing('No event fits.') : eventTable(events);
    return page({
      title: 'Events',
      body: html`${form}${live('events', [list, older(filter, before !== '', events)])}`,
      // What is over does not change.
      ...(before === '' && { live: { events: filter } }),
    });
  });
}

function eventFilter({ host, kind, actor, by, attempt }: Filter): Html {
  return filterForm(
    '/events',
    [
      textField('host', 'Host', host, html` placeholder="52:54:00:12:34:56" size="17"`),
      select('kind', 'Kind', [ANY, ...EVENT_KINDS], kind),
      select('actor', 'By', [ANY, ...ACTORS], actor),
      textField('by', 'Token', by, html` size="12"`),
      textField('attempt', 'Attempt', attempt, html` size="17"`),
    ],
    [host, kind, actor, by, attempt].some((value) => value !== ''),
  );
}

function eventTable(events: readonly EventView[]): Html {
  return table(
    'Events, newest first',
    [
      { head: 'Time', cell: ({ at }: EventView) => moment(at) },
      { head: 'Event', cell: ({ kind }) => kind, names: true },
      { head: 'Host', cell: hostOf, as: 'code' },
      { head: 'By', cell: ({ actor, by }) => by ?? actor },
      { head: 'What', cell: whatOf, as: 'wide' },
    ],
    events,
    ({ id }) => String(id),
  );
}

/** A host that is gone is known by its id alone. */
function hostOf({ host, mac }: EventView): Part {
  return mac ? html`<a href="${addressOf`/hosts/${mac}`}">${mac}</a>` : host;
}

/** Why, and behind it the facts that programs get. */
function whatOf({ reason, attempt, data }: EventView): Part {
  const all = { ...(attempt !== null && { attempt }), ...data };
  if (Object.keys(all).length === 0) return reason;
  return html`<details><summary>${reason || 'facts'}</summary><pre>${JSON.stringify(all, null, 2)}</pre></details>`;
}

function older(filter: Filter, isOlder: boolean, events: readonly EventView[]): Html | null {
  const last = events.at(-1);
  const hasMore = events.length === SHOWN && last !== undefined;
  if (!isOlder && !hasMore) return null;
  return html`<nav class="pager" aria-label="More events">
${isOlder && html`<a href="/events${queryText(filter)}" rel="first">Newest</a>`}
${hasMore && html`<a href="/events${queryText({ ...filter, before: last.id })}" rel="next">Older</a>`}
</nav>`;
}
