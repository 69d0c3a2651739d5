import { beforeEach, describe, expect, test } from 'vitest';
import { tick } from '../../server/control/ticker.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import type { ReportKind } from '../../server/core/report.ts';
import { ALICE, macAt, reportWith } from '../fixtures/hosts.ts';
import { saidInventory } from '../fixtures/inventories.ts';
import { useCases } from '../fixtures/use-cases.ts';

/** Spoofers: who speaks for a host, in whatever order claims, silence, orders and operators' words come. */

const mac = macAt(1);
let world: Awaited<ReturnType<typeof useCases>>;
let attempt: string;
let seq: number;
beforeEach(async () => {
  world = await useCases();
  attempt = (await world.hosts.enrol(ALICE, { macs: [mac], image: 'one' })).attempt?.id ?? '';
  seq = 0;
});

const claim = (tokenHash: string) => world.machines.claim(mac, { attempt, tokenHash });
const say = (tokenHash: string | null, kind: ReportKind = 'inventory', facts: object = {}) => {
  seq += 1;
  const report = reportWith({ kind, attempt: null, seq, ...facts });
  return world.machines.report(mac, report, `body-${seq}`, { tokenHash });
};
const silence = async () => {
  world.time.now += PATIENCE.claimMs;
  await tick(world.context);
};
const reinstall = async () => {
  attempt = (await world.hosts.reinstall(ALICE, mac, false)).attempt?.id ?? '';
};
/** Everything in which a host speaks for itself. */
const WORDS: readonly ((tokenHash: string | null) => Promise<unknown>)[] = [
  (tokenHash) => say(tokenHash),
  (tokenHash) => say(tokenHash, 'failed', { attempt }),
  (tokenHash) => world.machines.takeInventory(mac, saidInventory(), '10.0.0.1', { tokenHash }),
  (tokenHash) =>
    world.machines.partitionTable(mac, null, { bytes: 64e9, sectorBytes: 512 } as never, { tokenHash }),
];
async function nobodyIsHeard(...tokens: (string | null)[]) {
  const before = await world.hosts.find(mac);
  for (const word of WORDS)
    for (const token of tokens) await expect(word(token)).rejects.toMatchObject({ code: 'unauthorized' });
  expect(await world.hosts.find(mac)).toEqual(before);
}

describe('a claim that nothing follows', () => {
  test('opens the host to no stranger', async () => {
    await claim('mine');
    await silence();
    await nobodyIsHeard(null, 'stranger');
    expect((await world.hosts.find(mac)).attempt).toMatchObject({ phase: 'claimed', outcome: null });
  });
  test('is good again with its first word: the installer was only slow, and has the host from then on', async () => {
    await claim('mine');
    await silence();
    expect((await say('mine', 'progress', { attempt })).verdict).toBe('applied');
    await nobodyIsHeard(null, 'stranger');
    expect(await claim('stranger')).toBe('refused');
  });
  test('gives way to an installer that lost its token', async () => {
    await claim('mine');
    await silence();
    expect(await claim('another')).toBe('new');
    await nobodyIsHeard(null, 'mine');
    await say('another');
  });
  test('takes the voice of the running OS for three minutes at most', async () => {
    await claim('mine');
    await say('mine');
    await reinstall();
    expect(await claim('stranger')).toBe('new');
    await nobodyIsHeard('mine', null);
    await silence();
    expect((await say('mine')).verdict).toBe('applied');
    await nobodyIsHeard(null, 'another');
  });
  test('takes it no longer than its install is open', async () => {
    await claim('mine');
    await say('mine');
    await reinstall();
    await claim('stranger');
    await reinstall();
    expect((await say('mine')).verdict).toBe('applied');
    // That install is over: whoever claimed it has nothing to say, now or in a year.
    await nobodyIsHeard('stranger', null);
  });
  test('makes nobody forget what an operator took away', async () => {
    await claim('leaked');
    await say('leaked');
    await world.lifecycle.release(ALICE, mac, undefined);
    await reinstall();
    for (const token of ['one', 'two']) {
      expect(await claim(token)).toBe('new');
      await silence();
      await nobodyIsHeard('leaked', null);
      expect(await claim('leaked')).toBe('refused');
    }
    await claim('three');
    await say('three');
    await reinstall();
    expect(await claim('leaked')).toBe('refused');
  });
});

test('a power cut before the token was on the disk: the machine comes back, is shown its order, and goes on', async () => {
  await claim('lost');
  await say('lost', 'progress', { attempt, phase: 'partition' });
  const shown = () => world.machines.manifest(mac, { tokenHash: null });
  await expect(shown()).rejects.toMatchObject({ code: 'unauthorized' });
  expect(await claim('made-anew')).toBe('refused');
  world.time.now += PATIENCE.claimMs;
  expect((await shown()).action).toBe('install');
  expect(await claim('made-anew')).toBe('new');
  await say('made-anew', 'progress', { attempt, phase: 'partition' });
  await nobodyIsHeard('lost', null);
  expect(await claim('stranger')).toBe('refused');
});

test('a machine whose disk has the token keeps it, however long it is away', async () => {
  await claim('mine');
  await say('mine', 'progress', { attempt, phase: 'write', bytesDone: 0, bytesTotal: 100 });
  world.time.now += PATIENCE.writeMs - 1;
  expect(await claim('stranger')).toBe('refused');
  await nobodyIsHeard('stranger', null);
  expect((await say('mine')).verdict).toBe('applied');
});

test('a word that ends the attempt is the first of its token: it is good afterwards', async () => {
  await claim('mine');
  await say('mine', 'failed', { attempt, reason: 'no disk' });
  expect((await world.hosts.find(mac)).attempt?.outcome).toBe('failed');
  expect((await say('mine')).verdict).toBe('applied');
  await nobodyIsHeard(null, 'stranger');
});

describe('a host that was retired', () => {
  test('is nobody else’s when it is approved again', async () => {
    await claim('mine');
    await say('mine');
    await world.lifecycle.retire(ALICE, mac);
    await nobodyIsHeard('mine', null);
    expect((await world.store.trust.held()).map((each) => each.mac)).toEqual([]);
    expect(await world.store.lookups.hostOfToken('mine')).toBeNull();
    await world.discovery.approve(ALICE, mac, {});
    await nobodyIsHeard(null, 'stranger');
    expect((await say('mine')).verdict).toBe('applied');
  });
  test('can be released: its disk was sold', async () => {
    await claim('mine');
    await say('mine');
    await world.lifecycle.retire(ALICE, mac);
    await world.lifecycle.release(ALICE, mac, 'the disk was sold');
    await world.discovery.approve(ALICE, mac, { image: 'one' });
    await reinstall();
    await nobodyIsHeard('mine', null, 'stranger');
    expect(await claim('mine')).toBe('refused');
    expect(await claim('made-anew')).toBe('new');
    expect((await say('made-anew')).verdict).toBe('applied');
  });
  test('before a word came with its claim has none afterwards', async () => {
    await claim('mine');
    await world.lifecycle.retire(ALICE, mac);
    await world.discovery.approve(ALICE, mac, {});
    await nobodyIsHeard('mine', null, 'stranger');
  });
});
