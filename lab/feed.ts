import { lately } from './lately.ts';

/** One thing that was seen, by whom and when (milliseconds since 1970). The timeline is made of these and of nothing else. */
export type Observation = {
  readonly at: number;
  /** The guest's name; null for what belongs to none (the server's own log lines). */
  readonly guest: string | null;
} & Sighting;

export type Sighting =
  /** A whole line on the guest's serial port, control sequences removed. */
  | { readonly source: 'serial'; readonly line: string }
  /** The host as `GET /api/v1/hosts/MAC` showed it, each time it had changed. */
  | { readonly source: 'api'; readonly host: HostView }
  /** One event of `GET /api/v1/events`: reports, claims, moves of attempts. */
  | { readonly source: 'event'; readonly event: ServerEvent }
  /** One line of the server's JSON log. */
  | { readonly source: 'log'; readonly record: LogRecord }
  /** What QEMU said about the machine: POWERON, RESET, SHUTDOWN, POWEROFF, GUEST_PANICKED … */
  | { readonly source: 'machine'; readonly event: string };

export type Source = Sighting['source'];
export type Seen<S extends Source> = Extract<Observation, { source: S }>;

/** What the lab reads of a host; the server may say more. */
export interface HostView {
  readonly id: string;
  readonly state: string;
  readonly claimed: boolean;
  readonly image: { readonly ref: string; readonly digest: string } | null;
  readonly attempt: AttemptView | null;
  readonly observation: ObservedView | null;
}
export interface AttemptView {
  readonly id: string;
  readonly kind: string;
  readonly phase: string;
  readonly digest: string;
  readonly progress: ProgressView | null;
  readonly outcome: string | null;
  readonly reason: string | null;
}
export interface ProgressView {
  readonly phase: string;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}
export interface ObservedView {
  readonly bootId: string;
  readonly environment: string;
  readonly slot: string | null;
  readonly digest: string | null;
  readonly default: string | null;
  readonly slots: Readonly<Record<string, { readonly state: string; readonly digest: string | null }>>;
  readonly trial: boolean;
  readonly readOnly: boolean;
  readonly at: number;
}
export interface ServerEvent {
  readonly id: number;
  readonly at: number;
  readonly kind: string;
  readonly host: string | null;
  readonly attempt: string | null;
  readonly reason: string;
  readonly data: Readonly<Record<string, unknown>>;
}
export interface LogRecord {
  readonly time: number;
  readonly level: number;
  readonly room?: string;
  readonly msg?: string;
  readonly [more: string]: unknown;
}

export interface Awaited<S extends Source> {
  readonly source: S;
  /** Completes the sentence "… was not seen within N s". */
  readonly what: string;
  readonly timeoutMs: number;
  /** Index from {@link Feed.mark}: only what came since then counts. */
  readonly since: number;
  readonly guest?: string;
  readonly match: (seen: Seen<S>) => boolean;
}

interface Waiter {
  readonly offer: (seen: Observation) => void;
  readonly give: (error: Error) => void;
}

/** All that is seen, in the order in which it was seen, and a way to wait for what comes. */
export class Feed {
  readonly all: Observation[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(seen: Observation) => void>();
  #broken: Error | undefined;

  push(guest: string | null, sighting: Sighting, at = Date.now()): void {
    const seen = { at, guest, ...sighting } as Observation;
    this.all.push(seen);
    for (const listener of this.#listeners) listener(seen);
    for (const waiter of [...this.#waiters]) waiter.offer(seen);
  }

  /** Calls `listener` for everything from now on. @returns a function that ends it. */
  listen(listener: (seen: Observation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Where the feed stands now, to wait or to look from here. */
  mark(): number {
    return this.all.length;
  }

  since<S extends Source>(mark: number, source: S, guest?: string): Seen<S>[] {
    const isIt = (seen: Observation): seen is Seen<S> =>
      seen.source === source && (guest === undefined || seen.guest === guest);
    return this.all.slice(mark).filter(isIt);
  }

  /** The first sighting that matches, among those since `since` and those to come. */
  seen<S extends Source>(wanted: Awaited<S>): Promise<Seen<S>> {
    const fits = (seen: Observation): seen is Seen<S> =>
      seen.source === wanted.source &&
      (wanted.guest === undefined || seen.guest === wanted.guest) &&
      wanted.match(seen as Seen<S>);
    const already = this.all.slice(wanted.since).find(fits);
    if (already) return Promise.resolve(already);
    if (this.#broken) return Promise.reject(this.#broken);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        act();
      };
      const waiter: Waiter = {
        offer: (seen) => {
          if (fits(seen)) settle(() => resolve(seen));
        },
        give: (error) => settle(() => reject(error)),
      };
      const seconds = Math.round(wanted.timeoutMs / 1000);
      const timer = setTimeout(() => {
        const instead = wanted.guest === undefined ? '' : `\n${lately(this.all, wanted.guest)}`;
        waiter.give(new Error(`${wanted.what} was not seen within ${seconds} s${instead}`));
      }, wanted.timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  /** Ends every wait, now and later, with this error: nothing more will come. */
  break(error: Error): void {
    this.#broken ??= error;
    for (const waiter of [...this.#waiters]) waiter.give(this.#broken);
  }
}
