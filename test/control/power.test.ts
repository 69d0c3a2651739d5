import { expect, test } from 'vitest';
import { powerCycles } from '../../server/control/power.ts';
import { tick } from '../../server/control/ticker.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import type { PowerFacts, PowerOutcome } from '../../server/core/power-port.ts';
import { A, ALICE, B, macAt, reportWith } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

const TOKEN = { tokenHash: 'token' };

/** `count` hosts that said that they jump and did not come back in time, and a hook that ends when the test says so. */
async function lost(count: number, atOnce = 4) {
  const world = await useCases();
  const context = { ...world.context, hasPowerHook: true };
  const told: { facts: PowerFacts; end(outcome?: Partial<PowerOutcome>): void; signal: AbortSignal }[] = [];
  const hook = {
    atOnce,
    cycle: (facts: PowerFacts, signal: AbortSignal) =>
      new Promise<PowerOutcome>((resolve) => {
        const end = (outcome: Partial<PowerOutcome> = {}) =>
          resolve({ ok: true, how: 'the power was cycled', output: 'On', ...outcome });
        told.push({ facts, end, signal });
        signal.addEventListener('abort', () => end({ ok: false, how: 'was ended' }));
      }),
  };
  const heard = { at: null as number | null };
  const errors: unknown[] = [];
  const start = () =>
    powerCycles(
      context,
      hook,
      () => heard.at,
      (error) => errors.push(error),
    );
  for (let i = 1; i <= count; i += 1) {
    const { attempt } = await world.hosts.enrol(ALICE, {
      macs: [macAt(i)],
      image: 'two',
      labels: { rack: '7' },
    });
    const id = attempt?.id ?? '';
    await world.machines.claim(macAt(i), { attempt: id, tokenHash: TOKEN.tokenHash });
    const installed = reportWith({ kind: 'installed', attempt: id, slot: 'a', digest: B, seq: 1 });
    await world.machines.report(macAt(i), installed, 'x', TOKEN);
  }
  world.time.now += PATIENCE.jumpMs;
  await tick(context);
  const power = start();
  const attemptOf = async (i: number) => (await world.hosts.find(macAt(i))).attempt;
  const events = async () =>
    (await world.store.events({ limit: 1000 })).filter(({ kind }) => kind.startsWith('power'));
  /** Looks, and waits until so many hooks were begun in all. */
  const look = async (until: number, by = power) => {
    await by.look();
    await expect.poll(() => told.length).toBe(until);
  };
  return { ...world, context, power, told, heard, errors, start, attemptOf, events, look };
}

test('a host that does not come back has its power cycled once, and what was tried stands in the log', async () => {
  const { look, told, attemptOf, events, time, context, hosts } = await lost(1);
  await look(1);
  expect(told[0]?.facts).toEqual({ macs: [macAt(1)], labels: { rack: '7' }, serial: null, bmc: null });
  expect(await attemptOf(1)).toMatchObject({ power: 'begun', outcome: null });
  await look(1);
  told[0]?.end();
  await expect.poll(async () => (await attemptOf(1))?.power).toBe('done');
  expect(await events()).toMatchObject([
    { kind: 'power-cycle-began', actor: 'server' },
    { kind: 'power-cycled', reason: 'the power was cycled', data: { output: 'On' } },
  ]);
  time.now += PATIENCE.jumpMs;
  await tick(context);
  await look(1);
  const { attempt } = await hosts.find(macAt(1));
  expect(attempt).toMatchObject({
    outcome: 'failed',
    reason: expect.stringMatching(/not even after its power/),
  });
});

test('after it the attempt ends by what the host reports', async () => {
  const { look, told, attemptOf, machines } = await lost(1);
  await look(1);
  told[0]?.end({ ok: false, how: 'the hook ended with exit code 3' });
  await expect.poll(async () => (await attemptOf(1))?.power).toBe('failed');
  const back = { attempt: (await attemptOf(1))?.id ?? null, bootId: 'boot-9', seq: 1 };
  const report = reportWith({
    ...back,
    kind: 'rolled-back',
    slot: 'a',
    digest: A,
    reason: 'did not confirm',
  });
  await machines.report(macAt(1), report, 'y', TOKEN);
  expect(await attemptOf(1)).toMatchObject({ outcome: 'rolled-back', power: 'failed' });
});

test('so many at once and no more; each that ends makes room', async () => {
  const { look, told, attemptOf } = await lost(5, 2);
  const done = async () =>
    (await Promise.all([1, 2, 3, 4, 5].map(attemptOf))).filter((each) => each?.power === 'done').length;
  await look(2);
  await look(2);
  for (let i = 0; i < 5; i += 1) {
    told[i]?.end();
    await expect.poll(done).toBe(i + 1);
    await look(Math.min(5, i + 3));
  }
  expect(told.map(({ facts }) => facts.macs[0])).toEqual([1, 2, 3, 4, 5].map(macAt));
});

test('a server that ends while the hook runs never runs it again', async () => {
  const { look, told, start, attemptOf, events } = await lost(1);
  await look(1);
  const next = start();
  await look(1, next);
  expect(await attemptOf(1)).toMatchObject({ power: 'failed', outcome: null });
  expect((await events()).at(-1)).toMatchObject({
    kind: 'power-cycle-failed',
    reason: expect.stringMatching(/the server ended while the hook ran/),
  });
  // The first server was not as dead as it seemed.
  told[0]?.end();
  await expect.poll(async () => (await events()).length).toBe(3);
  expect((await attemptOf(1))?.power).toBe('failed');
});

test('a server that stops ends its hooks and waits for them', async () => {
  const { look, told, power, attemptOf } = await lost(2);
  await look(2);
  await power.stop();
  expect(told.every(({ signal }) => signal.aborted)).toBe(true);
  expect((await attemptOf(1))?.power).toBe('failed');
  await power.look();
  expect(told).toHaveLength(2);
});

test('a machine that asked for something a moment ago lives: its power is not cut', async () => {
  const { look, heard, time, attemptOf, events } = await lost(1);
  heard.at = time.now - 60_000;
  await look(0);
  await expect.poll(async () => (await attemptOf(1))?.power).toBe('failed');
  expect(await events()).toMatchObject([
    { kind: 'power-cycle-failed', reason: expect.stringMatching(/it lives/) },
  ]);
});

test('a host that came back, was removed, or was given another image before its turn is left alone', async () => {
  const { look, hosts, machines, attemptOf, events } = await lost(3);
  const booted = {
    attempt: (await attemptOf(1))?.id ?? null,
    bootId: 'boot-9',
    seq: 1,
    slot: 'a',
    digest: B,
  };
  await machines.report(macAt(1), reportWith({ ...booted, kind: 'booted' }), 'y', TOKEN);
  await hosts.remove(ALICE, macAt(2));
  await hosts.reassign(ALICE, macAt(3), 'one', false);
  await look(0);
  await expect.poll(async () => (await attemptOf(1))?.power).toBeNull();
  expect(await events()).toEqual([]);
});

test('a store that fails stops nothing', async () => {
  const { look, power, store, told, errors, attemptOf } = await lost(1);
  store.broken = true;
  await power.look();
  await expect.poll(() => errors.length).toBe(1);
  store.broken = false;
  await look(1);
  told[0]?.end();
  await expect.poll(async () => (await attemptOf(1))?.power).toBe('done');
});
