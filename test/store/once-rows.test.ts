import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../server/core/ports.ts';
import { hostWith, macAt, NOW } from '../fixtures/hosts.ts';
import { memoryStore } from '../fixtures/stores.ts';

let [store, now]: [Store, number] = [memoryStore(), NOW];
beforeEach(() => {
  now = NOW;
  store = memoryStore(() => now);
});
afterEach(() => store.close());

const key = { token: 'ci', key: 'k1' };
const ANSWER = { status: 201, headers: { etag: '"1"' }, body: '{"a":"ä"}' };
const put = (number: number) =>
  store.change({}, () => ({
    answer: undefined,
    hosts: [hostWith({ enrolment: { id: `host-${number}`, macs: [macAt(number)] } })],
  }));
const state = async () => (await store.once.begin(key, 'hash'))?.state;

test('a new key is null once; then it is known, for its token alone', async () => {
  expect(await store.once.begin(key, 'hash')).toBeNull();
  expect(await store.once.begin(key, 'other')).toEqual({ request: 'hash', state: 'begun', answer: null });
  expect(await store.once.begin({ ...key, token: 'other' }, 'hash')).toBeNull();
});

test('the transaction that does the work says so, and no other', async () => {
  await store.once.begin(key, 'hash');
  await put(1);
  expect(await state()).toBe('begun');
  await store.once.within(key, async () => {
    await nextTurn();
    await Promise.all([put(2), put(3)]);
  });
  expect(await state()).toBe('applied');
});

test('a change that fails, or writes nothing, does not', async () => {
  await store.once.begin(key, 'hash');
  await store.once.within(key, async () => {
    const failing = store.change({}, () => {
      throw new Error('refused');
    });
    await expect(failing).rejects.toThrow('refused');
    await store.change({}, () => ({ answer: 1 }));
  });
  expect(await state()).toBe('begun');
});

test('work and mark are both undone when the transaction is', async () => {
  await store.once.begin(key, 'hash');
  await put(1);
  const same = store.once.within(key, () =>
    store.change({}, () => ({
      answer: undefined,
      // The second has a MAC of the first: the write of both is undone.
      hosts: [2, 3].map((number) => hostWith({ enrolment: { id: `host-${number}`, macs: [macAt(9)] } })),
    })),
  );
  await expect(same).rejects.toThrow();
  expect(await state()).toBe('begun');
});

test('an answer is kept as it was', async () => {
  await store.once.begin(key, 'hash');
  await store.once.settle(key, ANSWER);
  expect(await store.once.begin(key, 'hash')).toEqual({ request: 'hash', state: 'answered', answer: ANSWER });
});

test('a refusal that changed nothing is forgotten, one that came after a change is kept', async () => {
  await store.once.begin(key, 'hash');
  await store.once.settle(key, { ...ANSWER, status: 409 });
  expect(await store.once.begin(key, 'hash')).toBeNull();
  await store.once.within(key, () => put(1));
  await store.once.settle(key, { ...ANSWER, status: 503 });
  expect((await store.once.begin(key, 'hash'))?.answer?.status).toBe(503);
});

test('without an answer to keep only what was applied stays known', async () => {
  await store.once.begin(key, 'hash');
  await store.once.settle(key, null);
  expect(await store.once.begin(key, 'hash')).toBeNull();
  await store.once.within(key, () => put(1));
  await store.once.settle(key, null);
  expect(await state()).toBe('applied');
});

test('old keys and too many are collected', async () => {
  for (let number = 0; number < 10; number += 1) {
    now = NOW + number;
    await store.once.begin({ token: 'ci', key: `k${number}` }, 'hash');
  }
  await store.once.collect(NOW + 1, 5);
  const left: string[] = [];
  for (let number = 0; number < 10; number += 1)
    if (await store.once.begin({ token: 'ci', key: `k${number}` }, 'hash')) left.push(`k${number}`);
  expect(left).toEqual(['k5', 'k6', 'k7', 'k8', 'k9']);
});
