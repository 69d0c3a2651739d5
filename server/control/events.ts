import type { Store } from '../core/ports.ts';
import type { EventUseCases } from '../core/use-cases.ts';
import { findHost } from './one-host.ts';

/** The event log for those who look. */
export function eventCases(store: Pick<Store, 'events' | 'log' | 'host'>): EventUseCases {
  return {
    async filterOf({ mac, ...filter }) {
      if (mac === undefined) return filter;
      return { ...filter, hostId: (await findHost({ store }, mac)).enrolment.id };
    },
    list: (query) => store.events(query),
    bounds: () => store.log.bounds(),
  };
}
