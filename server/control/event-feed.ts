import { type EventFilter, matches } from '../core/event-port.ts';
import type { Event } from '../core/events.ts';
import type { Store } from '../core/ports.ts';
import type { EventFeed, EventPart } from '../core/use-cases.ts';

/** So many of the newest events are kept at hand for those who follow. */
const KEPT = 2_000;
/** Events read from the store at once. */
const PAGE = 500;
/** Events given at once. */
const PART = 200;

/**
 * The log for any number of followers: after each commit one look at the store serves them all. Each follower asks for its next part
 * when it has sent the one before, so nothing is queued for a slow one: what it has missed it reads from the store.
 */
export function eventFeed(store: Pick<Store, 'events' | 'log'>): EventFeed {
  /** The newest events, ids without a gap. */
  let kept: Event[] = [];
  /** The newest event that is known. Null: nobody follows, nothing is known. */
  let tail: number | null = null;
  let isBehind = true;
  let looking: Promise<void> | null = null;
  const waiting = new Set<() => void>();

  const stop = store.log.listen(() => {
    isBehind = true;
    for (const wake of [...waiting]) wake();
  });

  /** Reads what is new, once for all who ask meanwhile. */
  function look(): Promise<void> {
    if (!isBehind && tail !== null) return looking ?? Promise.resolve();
    looking ??= readOn().finally(() => {
      looking = null;
    });
    return looking;
  }

  async function readOn(): Promise<void> {
    const { last } = await store.log.bounds();
    // Nobody followed for a while: who comes now reads that from the store.
    if (tail === null || last - tail > KEPT) [kept, tail] = [[], last];
    do {
      isBehind = false;
      for (;;) {
        const events: readonly Event[] = await store.events({ afterId: tail, limit: PAGE });
        // What was pruned before it was read leaves a hole, and nothing before a hole is of use.
        const isNext = events[0]?.id === tail + 1;
        kept = [...(isNext || events.length === 0 ? kept : []), ...events].slice(-KEPT);
        tail = events.at(-1)?.id ?? tail;
        if (events.length < PAGE) break;
      }
    } while (isBehind);
  }

  async function part(filter: EventFilter, afterId: number): Promise<EventPart> {
    const end = tail ?? 0;
    const first = kept[0]?.id ?? end + 1;
    if (afterId < first - 1) {
      const events = await store.events({ ...filter, afterId, limit: PART });
      const last = events.at(-1)?.id;
      return { events, upTo: events.length < PART ? Math.max(end, last ?? 0) : (last ?? end) };
    }
    const events: Event[] = [];
    let upTo = afterId;
    for (const event of kept.slice(afterId - first + 1)) {
      upTo = event.id;
      if (matches(event, filter)) events.push(event);
      if (events.length === PART) break;
    }
    return { events, upTo };
  }

  return {
    async next(filter, afterId, signal) {
      for (;;) {
        // Listened for first, so that nothing is missed between the look and the wait.
        const news = wakeUp(waiting, signal);
        try {
          await look();
          const found = await part(filter, afterId);
          if (found.upTo > afterId || signal.aborted) return found;
          await news.came;
        } finally {
          news.stop();
        }
        if (signal.aborted) return { events: [], upTo: afterId };
      }
    },
    stop,
  };
}

function wakeUp(waiting: Set<() => void>, signal: AbortSignal) {
  let wake = () => {};
  const came = new Promise<void>((resolve) => {
    wake = resolve;
  });
  waiting.add(wake);
  signal.addEventListener('abort', wake);
  if (signal.aborted) wake();
  return {
    came,
    stop() {
      waiting.delete(wake);
      signal.removeEventListener('abort', wake);
    },
  };
}
