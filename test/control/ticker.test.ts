import { expect, test, vi } from 'vitest';
import { startTicker, tick } from '../../server/control/ticker.ts';
import { PATIENCE } from '../../server/core/patience.ts';
import { ALICE, macAt, NOW, reportWith } from '../fixtures/hosts.ts';
import { useCases } from '../fixtures/use-cases.ts';

async function writing() {
  const world = await useCases();
  const { attempt } = await world.hosts.enrol(ALICE, { macs: [macAt(1)], image: 'one' });
  const report = reportWith({ kind: 'progress', attempt: attempt?.id ?? '', seq: 1 });
  await world.machines.report(macAt(1), report, 'x', { tokenHash: null });
  return world;
}

test('an attempt in silence fails once, with its reason in the log', async () => {
  const world = await writing();
  world.time.now += PATIENCE.writeMs;
  await Promise.all([tick(world.context), tick(world.context)]);
  expect((await world.hosts.find(macAt(1))).attempt).toMatchObject({ outcome: 'failed' });
  const events = await world.store.events({ limit: 100 });
  expect(events.filter(({ kind }) => kind === 'attempt-ended')).toMatchObject([
    { actor: 'server', reason: 'nothing was heard of it while it was writing', data: { outcome: 'failed' } },
  ]);
});

test('after the server was away hosts have five minutes to speak first', async () => {
  const world = await writing();
  world.time.now += 10 * PATIENCE.writeMs;
  const stop = await startTicker(world.context, 3_600_000, () => {});
  await tick(world.context);
  expect((await world.hosts.find(macAt(1))).attempt).toMatchObject({
    outcome: null,
    deadline: world.time.now + 300_000,
  });
  world.time.now += 300_000;
  await tick(world.context);
  expect((await world.hosts.find(macAt(1))).attempt?.outcome).toBe('failed');
  expect(world.time.now).toBeGreaterThan(NOW);
  await stop();
});

test('nor is an install that could not report taken for one that has lost its token', async () => {
  const world = await useCases();
  const { attempt } = await world.hosts.enrol(ALICE, { macs: [macAt(1)], image: 'one' });
  const claim = (tokenHash: string) =>
    world.machines.claim(macAt(1), { attempt: attempt?.id ?? '', tokenHash });
  await claim('mine');
  world.time.now += 2 * PATIENCE.claimMs;
  const stop = await startTicker(world.context, 3_600_000, () => {});
  expect(await claim('another')).toBe('refused');
  world.time.now += 300_000;
  expect(await claim('another')).toBe('new');
  await stop();
});

test('each look at the deadlines looks for garbage too', async () => {
  const { context } = await useCases();
  const look = vi.fn(async () => {});
  const garbage = { ...context.garbage, look };
  const stop = await startTicker({ ...context, garbage }, 5, () => {});
  await expect.poll(() => look.mock.calls.length).toBeGreaterThan(1);
  await stop();
});
