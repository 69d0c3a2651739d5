import { type HostView, hostListSchema } from '../../contract/hosts.ts';
import { type StatusView, statusSchema } from '../../contract/status.ts';
import { type Query, queryText } from '../api.ts';
import { addAssignMany } from '../hosts/assign-many.ts';
import { chosenBar } from '../hosts/chosen-bar.ts';
import {
  filterOf,
  filterQuery,
  type HostFilter,
  hostFilterForm,
  isFiltered,
  TROUBLES,
} from '../hosts/filter.ts';
import { hostTable } from '../hosts/host-table.ts';
import { imageNames } from '../hosts/image-names.ts';
import { addLabelMany } from '../hosts/label-many.ts';
import { Outcomes } from '../hosts/outcomes.ts';
import { addRolloutMany } from '../hosts/rollout-many.ts';
import { type Html, html } from '../html.ts';
import { badge } from '../parts/badge.ts';
import { live } from '../parts/facts.ts';
import { nothing } from '../parts/table.ts';
import type { Site } from '../site.ts';

const HOSTS_SHOWN = 100;
/** Pages that one can go back through; the address has to hold them. */
const WAY_BACK = 60;

/** The fleet, a page of it at a time, and what can be done with many hosts. These come before the page of one, whose name may be any. */
export function addHosts(site: Site): void {
  const outcomes = new Outcomes();
  addAssignMany(site, outcomes, HOSTS_SHOWN);
  addLabelMany(site, outcomes, HOSTS_SHOWN);
  addRolloutMany(site, HOSTS_SHOWN);
  outcomes.addTo(site);
  site.look('/hosts', async (visit) => {
    const { api, page, query, refusal, now } = visit;
    const filter = filterOf(visit);
    const cursor = query('cursor');
    const [told, status] = await Promise.all([
      api.get('/api/v1/hosts', hostListSchema, { ...filterQuery(filter), cursor, limit: HOSTS_SHOWN }),
      api.get('/api/v1/status', statusSchema),
    ]);
    const form = hostFilterForm(filter);
    const counts = status.ok ? status.value.hosts : null;
    const links = live('counts', counts && stateLinks(counts, filter.state));
    if (!told.ok) {
      if (told.status >= 500) return refusal(told);
      const body = html`${links}${form}<p class="notice bad" role="alert">${told.detail}</p>`;
      return page({ title: 'Hosts', status: told.status === 422 ? 422 : 400, body });
    }
    const { hosts, next } = told.value;
    const names = await imageNames(api, hosts);
    const list =
      hosts.length === 0
        ? nothing(emptyWords(filter, cursor))
        : hostTable(hosts, names, now, visit.mayOperate);
    const way = { query: filterQuery(filter), cursor, trail: visit.queries('back'), next };
    const all = cursor === '' && next === null ? hosts.length : countOf(filter, counts);
    return page({
      title: 'Hosts',
      body: html`${links}${form}${live('hosts', [list, wayOn(way)])}${visit.mayOperate && hosts.length > 0 && chosenBar({ filter, cursor, shown: hosts.length, all })}`,
      live: { everyMs: hosts.some(isMoving) ? 2_000 : undefined },
    });
  });
}

/** Bytes come without events. */
function isMoving({ attempt }: HostView): boolean {
  return attempt?.outcome === null && attempt.progress !== null;
}

function emptyWords(filter: HostFilter, cursor: string): Html {
  if (cursor !== '') return html`No host comes after these any more.`;
  if (isFiltered(filter)) return html`No host is like that.`;
  return html`There are no hosts. Let a machine boot from the network, then <a href="/discovery">approve it</a>; or enrol one: <code>warmboot enrol MAC --image IMAGE</code>.`;
}

/** Every state that a host is in, with how many are. */
function stateLinks(counts: StatusView['hosts'], chosen: string): Html {
  const all = Object.entries(counts).filter(([, number]) => number > 0);
  const listed = all.filter(([state]) => state !== 'ignored');
  const sum = (some: readonly (readonly [string, number])[]) =>
    some.reduce((total, [, number]) => total + number, 0);
  const troubled = all.filter(([state]) => TROUBLES.split(',').includes(state));
  const link = (state: string, number: number, name: Html) =>
    html`<li data-key="${state || 'all'}"><a href="/hosts${queryText({ state })}"${state === chosen && html` aria-current="true"`}><strong>${number.toLocaleString('en')}</strong> ${name}</a></li>`;
  return html`<ul class="counts">${link('', sum(listed), html`all`)}${all.map(([state, number]) => link(state, number, badge(state)))}${troubled.length > 1 && link(TROUBLES, sum(troubled), html`in trouble`)}</ul>`;
}

/** @returns null where only a look at all of them would tell */
function countOf({ state, ...others }: HostFilter, counts: StatusView['hosts'] | null): number | null {
  if (counts === null || Object.values(others).some((value) => value !== '')) return null;
  const states = state === '' ? Object.keys(counts).filter((each) => each !== 'ignored') : state.split(',');
  return states.reduce((sum, each) => sum + (counts[each as keyof typeof counts] ?? 0), 0);
}

type Way = {
  readonly query: Query;
  readonly cursor: string;
  /** Cursors of the pages before this one, the first page being ''. */
  readonly trail: readonly string[];
  readonly next: string | null;
};

/** Cursors lead on only: the address of a page says by which ones it was reached, and so the way back. */
function wayOn({ query, cursor, trail, next }: Way): Html | null {
  if (cursor === '' && next === null) return null;
  const link = (rel: string, name: string, to: Query) =>
    html`<a href="/hosts${queryText({ ...query, ...to })}" rel="${rel}">${name}</a>`;
  const before = trail.at(-1);
  const reached = [...trail, cursor || FIRST].slice(-WAY_BACK);
  return html`<nav class="pager" aria-label="More hosts">
${cursor !== '' && link('first', 'First page', {})}
${cursor !== '' && before !== undefined && link('prev', 'Previous page', before === FIRST ? {} : { cursor: before, back: trail.slice(0, -1) })}
${next !== null && link('next', 'Next page', { cursor: next, back: reached })}
</nav>`;
}

/** No cursor is a single dash. */
const FIRST = '-';
