import { afterEach, beforeEach, expect, test } from 'vitest';
import { garbageWatch } from '../../server/control/garbage-watch.ts';
import type { Digest } from '../../server/core/digest.ts';
import { A, ALICE, B, hostWith, macAt, reportWith } from '../fixtures/hosts.ts';
import { type StoreWorld, storeWorld } from '../fixtures/store-world.ts';
import { useCases } from '../fixtures/use-cases.ts';

let world: StoreWorld;
beforeEach(() => {
  world = storeWorld();
});
afterEach(async () => {
  await world.close();
  world.discard();
});

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

function watch() {
  const time = { now: 0 };
  const collections = { begun: 0 };
  const keeper = {
    collect: () => {
      collections.begun += 1;
      return world.keeper.collect();
    },
  };
  const onError = (error: unknown) => world.errors.push(error);
  return { time, collections, watch: garbageWatch({ ...world, keeper, clock: () => time.now, onError }) };
}

/** An image that only this host still has in a slot. */
async function heldBy(host: string, chunk: string): Promise<Digest> {
  const digest = await world.build('held', { chunks: [chunk] });
  const record = hostWith({
    enrolment: { id: host, macs: [macAt(host.length)], assignment: null },
    observation: { digest: null, slots: { a: { state: 'valid', digest } } },
  });
  await world.store.change({}, () => ({ answer: undefined, hosts: [record] }));
  await world.remove('os:held');
  return digest;
}
const forget = (host: string) =>
  world.store.change({ hosts: [host] }, () => ({ answer: undefined, removed: [host] }));
const isHere = async (digest: Digest) => (await world.store.image({ kind: 'digest', digest })) !== null;

test('an image that its last host let go is collected within a minute, with others in one go', async () => {
  const { watch: garbage, time, collections } = watch();
  const [one, two, three] = [await heldBy('h', 'a'), await heldBy('ho', 'b'), await heldBy('hos', 'c')];
  await forget('h');
  garbage.letGo([one]);
  await garbage.look();
  expect(collections.begun).toBe(0);
  await forget('ho');
  garbage.letGo([two]);
  time.now += MINUTE;
  await garbage.look();
  await garbage.look();
  expect(collections.begun).toBe(1);
  await expect.poll(async () => [await isHere(one), await isHere(two)]).toEqual([false, false]);
  await forget('hos');
  garbage.letGo([three]);
  await garbage.look();
  expect(collections.begun).toBe(1);
  time.now += MINUTE;
  await garbage.look();
  expect(collections.begun).toBe(2);
  await expect.poll(() => isHere(three)).toBe(false);
  expect(world.errors).toEqual([]);
});

test('nothing is collected for an image that has a tag or another host, or is gone', async () => {
  const { watch: garbage, time, collections } = watch();
  garbage.letGo([await world.build('tagged', { chunks: ['a'] }), await heldBy('h', 'b'), A]);
  time.now += MINUTE;
  await garbage.look();
  expect(collections.begun).toBe(0);
});

test('once a day everything is looked at, whatever was noted', async () => {
  const { watch: garbage, time, collections } = watch();
  time.now += DAY;
  await garbage.look();
  await garbage.look();
  expect(collections.begun).toBe(1);
});

test('reassigning, a slot that is overwritten and removing a host let its images go; a repetition does not', async () => {
  const { hosts, machines, letGo } = await useCases();
  const mac = macAt(1);
  const tokenHash = null;
  await hosts.enrol(ALICE, { macs: [mac], image: 'one' });
  expect(letGo).toEqual([]);
  await hosts.reassign(ALICE, mac, 'two', false);
  expect(letGo.splice(0)).toEqual([A]);
  await hosts.reassign(ALICE, mac, 'two', false);
  expect(letGo).toEqual([]);
  const slots = (a: Digest, b: Digest | null) => ({
    a: { state: 'modified', digest: a } as const,
    b: { state: b ? 'valid' : 'invalid', digest: b } as const,
  });
  const report = (seq: number, facts: object) =>
    machines.report(mac, reportWith({ kind: 'inventory', attempt: null, seq, ...facts }), `${seq}`, {
      tokenHash,
    });
  await report(1, { slot: 'b', digest: B, slots: slots(A, B) });
  expect(letGo).toEqual([]);
  await report(2, { slot: 'b', digest: B, slots: { ...slots(B, B) } });
  expect(letGo.splice(0)).toEqual([A]);
  await hosts.remove(ALICE, mac);
  expect(letGo).toEqual([B]);
});
