import type { Event, EventKind } from './events.ts';

/** Which events are meant; all that is given must fit. */
export type EventFilter = {
  readonly hostId?: string | undefined;
  /** One of these. */
  readonly kinds?: readonly EventKind[] | undefined;
  readonly actor?: Event['actor'] | undefined;
  /** Name of an operator's token. */
  readonly by?: string | undefined;
  readonly attempt?: string | undefined;
  /** Milliseconds since 1970, from… */
  readonly since?: number | undefined;
  /** …to before. */
  readonly until?: number | undefined;
};

export type EventQuery = EventFilter & {
  readonly afterId?: number | undefined;
  /** Left out: to the end. */
  readonly beforeId?: number | undefined;
  /** The last ones before `beforeId`, not the first after `afterId`; in rising order all the same. */
  readonly newest?: boolean | undefined;
  readonly limit: number;
};

/** `first` is the oldest event that is kept, `last` the newest; `last` is `first` − 1 where there is none. */
export type LogBounds = { readonly first: number; readonly last: number };

/** How much of the log is kept; the stricter of the two decides. */
export type LogLimits = {
  /** Older events go, in milliseconds since 1970. */
  readonly before: number;
  /** So many are kept at most. */
  readonly count: number;
};

/** The event log beside what decisions write into it. */
export type EventLog = {
  bounds(): Promise<LogBounds>;
  /**
   * Removes what the limits say from the old end, at most `most` events, in one short transaction. The newest event always stays.
   * @returns how many went
   */
  prune(limits: LogLimits, most: number): Promise<number>;
  /**
   * Forgets numbers of reports that are not needed to know a late one: of the present boot all but the last, of an earlier boot all but
   * one, which says that there was such a boot. Looks at some hosts after `after` (an id; null: from the first).
   * @returns where to look on; null at the end
   */
  pruneReports(after: string | null, hosts: number): Promise<string | null>;
  /** `onNews` is called after every commit that wrote events. @returns how to stop listening */
  listen(onNews: () => void): () => void;
};

export function matches(event: Event, filter: EventFilter): boolean {
  const { hostId, kinds, actor, by, attempt, since, until } = filter;
  return (
    (hostId === undefined || event.hostId === hostId) &&
    (kinds === undefined || kinds.includes(event.kind)) &&
    (actor === undefined || event.actor === actor) &&
    (by === undefined || event.by === by) &&
    (attempt === undefined || event.attempt === attempt) &&
    (since === undefined || event.at >= since) &&
    (until === undefined || event.at < until)
  );
}
