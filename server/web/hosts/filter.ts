import { HOST_STATES } from '../../contract/hosts.ts';
import type { Query } from '../api.ts';
import { type Html, html } from '../html.ts';
import { filterForm, hiddenField, select, textField } from '../parts/form.ts';
import type { Visit } from '../visit.ts';

/** Which hosts a page shows; all that is given must fit. '' is not given. */
export type HostFilter = {
  /** With commas between. */
  readonly state: string;
  readonly label: string;
  readonly q: string;
  readonly image: string;
  readonly profile: string;
};

/** What somebody has to look at. */
export const TROUBLES = 'failed,rolled-back,hold,unknown';

export function filterOf({ query, queries }: Pick<Visit, 'query' | 'queries'>): HostFilter {
  return {
    state: queries('state').filter(Boolean).join(','),
    label: queries('label').filter(Boolean).join(','),
    q: query('q'),
    image: query('image'),
    profile: query('profile'),
  };
}

export function isFiltered(filter: HostFilter): boolean {
  return Object.values(filter).some((value) => value !== '');
}

/** Only what is given, for addresses. */
export function filterQuery(filter: HostFilter): Query {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''));
}

export function filterFields(filter: HostFilter): readonly Html[] {
  return Object.entries(filterQuery(filter)).map(([name, value]) => hiddenField(name, String(value)));
}

/** `state failed, rack=r1, "52:54"`: for the sentence that says which hosts are meant. */
export function filterWords(filter: HostFilter): string {
  const said = Object.entries(filterQuery(filter)).map(([name, value]) => `${NAMES[name] ?? name} ${value}`);
  return said.join(', ');
}

const NAMES: Readonly<Record<string, string | undefined>> = { q: 'text', label: 'labels' };

export function hostFilterForm(filter: HostFilter): Html {
  const { state, label, q, image, profile } = filter;
  const states = [
    { value: '', label: 'any' },
    { value: TROUBLES, label: 'in trouble' },
    ...HOST_STATES.map((each) => ({ value: each, label: each })),
  ];
  const isOther = state !== '' && !states.some(({ value }) => value === state);
  return filterForm(
    '/hosts',
    [
      textField('q', 'Text', q, html` type="search" size="16" placeholder="MAC, label, serial…"`),
      select('state', 'State', isOther ? [...states, state] : states, state),
      textField('label', 'Labels', label, html` size="18" placeholder="rack in (r1, r2), !spare"`),
      textField('image', 'Image', image, html` size="14" placeholder="debian-13"`),
      profile !== '' && textField('profile', 'Profile', profile, html` size="10"`),
    ],
    isFiltered(filter),
  );
}
