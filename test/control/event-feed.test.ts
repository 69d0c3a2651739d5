import { expect, test } from 'vitest';
import { eventFeed } from '../../server/control/event-feed.ts';
import type { EventFilter } from '../../server/core/event-port.ts';
import type { NewEvent } from '../../server/core/events.ts';
import type { EventFeed } from '../../server/core/use-cases.ts';
import { memoryStore } from '../fixtures/stores.ts';

function feedOf() {
  const store = memoryStore();
  let looks = 0;
  const counted = {
    ...store,
    events: (query: Parameters<typeof store.events>[0]) => {
      looks += 1;
      return store.events(query);
    },
  };
  const add = (count: number, kind: NewEvent['kind'] = 'report') =>
    store.change({}, () => ({
      answer: undefined,
      events: Array.from({ length: count }, () => ({
        kind,
        hostId: 'h',
        attempt: null,
        actor: 'host' as const,
        by: null,
        reason: '',
        data: {},
      })),
    }));
  return { store, feed: eventFeed(counted), add, looks: () => looks };
}

/** Reads on until `count` events came. */
async function read(
  feed: EventFeed,
  count: number,
  afterId = 0,
  filter: EventFilter = {},
): Promise<number[]> {
  const never = new AbortController().signal;
  const ids: number[] = [];
  for (let after = afterId; ids.length < count; ) {
    const { events, upTo } = await feed.next(filter, after, never);
    after = upTo;
    ids.push(...events.map(({ id }) => id));
  }
  return ids;
}
const from = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);

test('what was before, and what comes', async () => {
  const { feed, add } = feedOf();
  await add(3);
  expect(await read(feed, 3)).toEqual([1, 2, 3]);
  const reading = read(feed, 2, 3);
  await add(2);
  expect(await reading).toEqual([4, 5]);
});

test('a thousand who follow cost one look at the store for each commit', async () => {
  const { feed, add, looks } = feedOf();
  await add(1);
  const all = Promise.all(from(0, 1000).map(() => read(feed, 5, 1)));
  // Each waits for what comes.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = looks();
  for (let commit = 0; commit < 5; commit += 1) await add(1);
  expect(new Set((await all).map((ids) => ids.join()))).toEqual(new Set(['2,3,4,5,6']));
  expect(looks() - before).toBeLessThanOrEqual(10);
});

test('who is far behind reads it all, in parts, in order, while the log goes on', async () => {
  const { feed, add } = feedOf();
  await add(1500);
  const reading = read(feed, 4100);
  for (let more = 0; more < 13; more += 1) await add(200);
  expect(await reading).toEqual(from(1, 4100));
});

test('filters leave out, and do not stop', async () => {
  const { feed, add } = feedOf();
  await add(2500);
  await add(1, 'assigned');
  await add(2500);
  expect(await read(feed, 1, 0, { kinds: ['assigned'] })).toEqual([2501]);
  const reading = read(feed, 1, 2501, { kinds: ['assigned'] });
  await add(10);
  await add(1, 'assigned');
  expect(await reading).toEqual([5012]);
});

test('after a time without anybody it begins with the newest, and misses nothing for who was there', async () => {
  const { feed, add } = feedOf();
  await add(1);
  expect(await read(feed, 1)).toEqual([1]);
  for (let part = 0; part < 12; part += 1) await add(500);
  expect(await read(feed, 6000, 1)).toEqual(from(2, 6000));
});

test('a follower that goes away is let go', async () => {
  const { feed } = feedOf();
  const gone = new AbortController();
  const waits = feed.next({}, 0, gone.signal);
  gone.abort();
  expect(await waits).toEqual({ events: [], upTo: 0 });
});
