import type { Clock, Store } from '../core/ports.ts';

const DAY_MS = 86_400_000;
/** Rows removed in one transaction: a few milliseconds. */
const BATCH = 500;
/** Batches at one look: faster than events come in. */
const BATCHES = 4;
/** Hosts whose report numbers are looked at together. */
const HOSTS = 20;

/** How much of the log is kept; null: as much as comes. */
export type EventLimits = { readonly days: number | null; readonly count: number | null };

/** Keeps the log, and the numbers of reports, from growing for ever; a little at each look of the ticker. */
export function eventRetention(
  store: Pick<Store, 'log'>,
  clock: Clock,
  { days, count }: EventLimits,
): { readonly name: string; look(): Promise<void> } {
  let afterHost: string | null = null;
  return {
    name: 'retention',
    async look() {
      const limits = {
        before: days === null ? 0 : clock() - days * DAY_MS,
        count: count ?? Number.MAX_SAFE_INTEGER,
      };
      for (let batch = 0; batch < BATCHES; batch += 1)
        if ((await store.log.prune(limits, BATCH)) < BATCH) break;
      afterHost = await store.log.pruneReports(afterHost, HOSTS);
    },
  };
}
