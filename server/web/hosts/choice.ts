import { type HostView, hostDetailSchema, hostListSchema } from '../../contract/hosts.ts';
import { type Api, at, type Problem } from '../api.ts';
import { everyPage } from '../every-page.ts';
import type { Html } from '../html.ts';
import { hiddenField } from '../parts/form.ts';
import type { Visit } from '../visit.ts';
import { filterFields, filterOf, filterQuery, filterWords, isFiltered } from './filter.ts';

/** More are not taken at once: an order of the API for many hosts takes no more either. */
export const MOST_CHOSEN = 10_000;
/** Hosts that are asked for one by one; a page has no more rows. */
const MOST_TICKED = 200;

/** Which hosts somebody chose in the table, as they are now. */
export type Choice = {
  readonly hosts: readonly HostView[];
  /** `ticked`, `of one page`, `all that fit state failed`. */
  readonly words: string;
  /** Ticked, and there no more. */
  readonly gone: readonly string[];
  /** What the address says of it, as hidden fields for the next step. */
  readonly fields: readonly Html[];
};

/** What a GET form of the table asks for. */
export async function choiceOf(visit: Visit, perPage: number): Promise<Choice | Problem> {
  const { api, query, queries } = visit;
  const filter = filterOf(visit);
  const asked = query('who');
  // Nothing else is ever taken for all of them.
  const who = asked === 'page' || asked === 'all' ? asked : 'ticked';
  const fields = [hiddenField('who', who), ...filterFields(filter)];
  if (who === 'ticked') return ticked(api, queries('mac'), hiddenField('who', who));
  const cursor = query('cursor');
  if (who === 'page') {
    const page = { ...filterQuery(filter), cursor, limit: perPage };
    const told = await api.get('/api/v1/hosts', hostListSchema, page);
    if (!told.ok) return told;
    const withCursor = cursor === '' ? fields : [...fields, hiddenField('cursor', cursor)];
    return { hosts: told.value.hosts, words: 'of one page', gone: [], fields: withCursor };
  }
  const told = await everyPage(
    api,
    '/api/v1/hosts',
    hostListSchema,
    filterQuery(filter),
    ({ hosts }) => hosts,
    MOST_CHOSEN + 1,
  );
  if (!told.ok) return told;
  if (told.value.length > MOST_CHOSEN)
    return {
      ok: false,
      status: 422,
      detail: `More than ${MOST_CHOSEN.toLocaleString('en')} hosts fit. Narrow the filter: labels do it best.`,
    };
  const words = isFiltered(filter) ? `all that fit: ${filterWords(filter)}` : 'all';
  return { hosts: told.value, words, gone: [], fields };
}

async function ticked(api: Api, macs: readonly string[], who: Html): Promise<Choice | Problem> {
  const wanted = [...new Set(macs)];
  if (wanted.length > MOST_TICKED)
    return {
      ok: false,
      status: 422,
      detail: `${wanted.length.toLocaleString('en')} hosts are ticked, and ${MOST_TICKED} at most are taken so. Choose all that fit a filter instead.`,
    };
  const told = await Promise.all(wanted.map((mac) => api.get(at`/api/v1/hosts/${mac}`, hostDetailSchema)));
  const refused = told.find((each) => !each.ok && each.status !== 404 && each.status !== 400);
  if (refused && !refused.ok) return refused;
  return {
    hosts: told.flatMap((each) => (each.ok ? [each.value] : [])),
    words: 'ticked',
    gone: wanted.filter((_, place) => !told[place]?.ok),
    fields: [who, ...wanted.map((mac) => hiddenField('mac', mac))],
  };
}

/** The chosen ones with the revisions that were seen, for the form that does it: `525400123456.REVISION` with `_` between. */
export function frozen(hosts: readonly HostView[]): Html {
  const each = hosts.map(({ mac, revision }) => `${mac.replaceAll(':', '')}.${revision}`);
  return hiddenField('hosts', each.join('_'));
}

export type Frozen = { readonly mac: string; readonly revision: string };

/** @returns each host once */
export function thaw(field: string): readonly Frozen[] {
  const found = [...field.matchAll(/(?:^|_)([0-9a-f]{12})\.(\d{1,16})(?=_|$)/g)];
  const pairs = found.map(
    ([, hex = '', revision = '']) => [hex.replaceAll(/..(?=.)/g, '$&:'), revision] as const,
  );
  // A form of ours has no more.
  return [...new Map(pairs)].slice(0, MOST_CHOSEN).map(([mac, revision]) => ({ mac, revision }));
}
