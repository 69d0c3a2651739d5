import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { everyHost, hostFilter, hostPage } from '../../server/control/fleet.ts';
import type { HostPlace } from '../../server/core/fleet-port.ts';
import type { Host } from '../../server/core/host.ts';
import { EVERY_HOST } from '../../server/core/host-filter.ts';
import type { Store } from '../../server/core/ports.ts';
import { hostWith, macAt, NOW } from '../fixtures/hosts.ts';
import { memoryStore } from '../fixtures/stores.ts';

let store: Store;
beforeEach(() => {
  store = memoryStore();
});
afterEach(() => store.close());

const ALL = { labels: [], states: [] };
/** Three enrolled in each millisecond, every fifth one in rack r1. */
const hostAt = (number: number): Host =>
  hostWith({
    enrolment: {
      id: `host-${String(number % 3)}-${number}`,
      macs: [macAt(number)],
      createdAt: NOW + Math.floor(number / 3),
      labels: number % 5 === 0 ? { rack: 'r1' } : {},
      assignment: null,
    },
    observation: null,
  });
const put = (...hosts: Host[]) => store.change({}, () => ({ answer: undefined, hosts }));
const fill = (count: number) => put(...Array.from({ length: count }, (_, number) => hostAt(number)));

async function pages(limit: number, labels: string[] = [], between = async (_page: number) => {}) {
  const filter = await hostFilter(store, { ...ALL, labels });
  const found: string[][] = [];
  let after: HostPlace | null = null;
  do {
    const page = await hostPage(store, filter, { after, limit });
    found.push(page.hosts.map(({ enrolment }) => enrolment.id));
    after = page.next;
    if (after) await between(found.length);
  } while (after);
  return found;
}
const ids = (count: number, step = 1) =>
  Array.from({ length: count }, (_, number) => hostAt(number))
    .filter((_, number) => number % step === 0)
    .map(({ enrolment }) => enrolment.id);

test('pages hold every host once, in the order of enrolment, whatever their size', async () => {
  await fill(650);
  for (const limit of [1000, 650, 649, 200, 199, 7]) {
    const found = await pages(limit);
    expect(found.flat()).toEqual(ids(650));
    expect(found.slice(0, -1).every((page) => page.length === limit)).toBe(true);
  }
});

test('the last page says that it is the last, also where it is full', async () => {
  await fill(10);
  expect((await pages(5)).length).toBe(2);
  expect((await pages(10)).length).toBe(1);
});

test('no hosts: one empty page', async () => {
  expect(await pages(5)).toEqual([[]]);
});

test('a filter is looked for through the whole fleet until the page is full', async () => {
  await fill(650);
  const found = await pages(50, ['rack=r1']);
  expect(found.map((page) => page.length)).toEqual([50, 50, 30]);
  expect(found.flat()).toEqual(ids(650, 5));
});

test('several selectors must all hold', async () => {
  await fill(20);
  expect((await pages(50, ['rack', 'rack!=r1'])).flat()).toEqual([]);
});

test('who is removed or enrolled between two pages moves nobody else', async () => {
  await fill(60);
  const gone = new Set<string>();
  const found = await pages(10, [], async (page) => {
    // The very host on which the cursor stands, one that was shown and one that was not; and a new one at the end.
    const removed = [page * 10 - 1, page * 10 - 5, page * 10 + 3].map(
      (number) => hostAt(number).enrolment.id,
    );
    for (const id of removed) gone.add(id);
    await store.change({ hosts: removed }, () => ({ answer: undefined, removed }));
    await put(hostAt(100 + page));
  });
  const shown = found.flat();
  expect(new Set(shown).size).toBe(shown.length);
  expect(ids(60).filter((id) => !shown.includes(id) && !gone.has(id))).toEqual([]);
  expect(shown).toContain(hostAt(105).enrolment.id);
});

test('any pages of any fleet are the fleet', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat(900), { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      async (numbers, limit) => {
        store.close();
        store = memoryStore();
        await put(...numbers.map(hostAt));
        const inOrder = [...numbers].sort(
          (one, other) => Math.floor(one / 3) - Math.floor(other / 3) || (one % 3) - (other % 3),
        );
        expect((await pages(limit)).flat()).toEqual(inOrder.map((number) => hostAt(number).enrolment.id));
      },
    ),
    { numRuns: 30 },
  );
});

test('everyHost gives the same hosts', async () => {
  await fill(650);
  const all: string[] = [];
  for await (const hosts of everyHost(store, EVERY_HOST))
    all.push(...hosts.map(({ enrolment }) => enrolment.id));
  expect(all).toEqual(ids(650));
});

test('others get their turn while a large fleet is looked through', async () => {
  await fill(650);
  let turns = 0;
  const counting = setInterval(() => {
    turns += 1;
  }, 0);
  const filter = await hostFilter(store, { ...ALL, labels: ['rack=nowhere'] });
  for (let i = 0; i < 50; i += 1) await hostPage(store, filter, { after: null, limit: 10 });
  clearInterval(counting);
  expect(turns).toBeGreaterThan(10);
});

test.each([
  [{ labels: ['rack in r1'] }, 'malformed', /selector cannot be read: .*"rack in r1".*parentheses/],
  [{ labels: ['rack=r1', ',,'] }, 'malformed', /nothing between two commas/],
  [{ states: ['active,sleeping'] }, 'malformed', /"sleeping" is no state of a host. States: discovered, /],
  [{ states: [''] }, 'malformed', /no state/],
  [{ image: 'nope' }, 'invalid', /no image nope/],
  [{ image: '../x' }, 'invalid', /no image/],
])('%j is refused', async (query, code, words) => {
  const refused = hostFilter(store, { ...ALL, ...query });
  await expect(refused).rejects.toThrow(words);
  await expect(refused).rejects.toMatchObject({ code });
});

test('a digest that is not stored is no mistake: a host may run it', async () => {
  const { image } = await hostFilter(store, { ...ALL, image: `sha256:${'e'.repeat(64)}` });
  expect(image).toBe(`sha256:${'e'.repeat(64)}`);
});
