import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import { image, newGuest, startRack } from './support.ts';

let rack: Rack;
beforeAll(async () => {
  rack = await startRack('server-killed');
});
afterAll(() => rack?.close());

test('a server that is killed in the middle of a flash and started again: the machine ends on its OS by itself', async () => {
  const { guest, story } = await newGuest(rack, 'one', { firmware: 'bios' });
  await story.enrol(image('debian-13'));
  const flashed = story.install(image('debian-13'));
  flashed.catch(() => {});
  const half = await rack.feed.seen({
    source: 'api',
    guest: guest.name,
    since: 0,
    what: 'a flash under way',
    timeoutMs: rack.patience(120),
    match: ({ host }) => (host.attempt?.progress?.bytesDone ?? 0) > 0,
  });
  await rack.server.kill();
  const { bytesDone = 0, bytesTotal = 0 } = half.host.attempt?.progress ?? {};
  expect(bytesDone).toBeLessThan(bytesTotal);
  // Long enough for the machine to notice.
  await sleep(5_000);
  await rack.server.start();
  await flashed;
  const host = await rack.api.host(guest.mac);
  expect(host).toMatchObject({ state: 'active', attempt: { outcome: 'succeeded' } });
});
