import { afterEach, expect, test } from 'vitest';
import type { Meddling } from '../../lab/meddler.ts';
import type { Rack } from '../../lab/rack.ts';
import { endOfAttempt, image, newGuest, startRack } from './support.ts';

let rack: Rack | undefined;
afterEach(async () => {
  await rack?.close();
  rack = undefined;
});

const isData = (path: string) => /^\/boot\/images\/[^/]+\/data/.test(path);

test('a bit turned over on the way, each time: the flash is reported as failed with a reason', async () => {
  const meddling: Meddling = { kind: 'alter', at: 3_000_000 };
  rack = await startRack('bad-stream-alter', { meddle: (path) => (isData(path) ? meddling : undefined) });
  const { guest, story } = await newGuest(rack, 'one');
  await story.enrol(image('debian-12'));
  await guest.powerOn();
  const attempt = await endOfAttempt(rack, guest, 300);
  expect(attempt.outcome).toBe('failed');
  expect(attempt.reason).toMatch(/write|check|sha256|stream|data/i);
  const host = await rack.api.host(guest.mac);
  expect(Object.values(host.observation?.slots ?? {}).map(({ state }) => state)).not.toContain('valid');
});

test('a stream that breaks three times is taken up where it broke', async () => {
  let cuts = 0;
  const cut = (path: string): Meddling | undefined =>
    isData(path) && cuts++ < 3 ? { kind: 'cut', at: 30_000_000 * cuts } : undefined;
  rack = await startRack('bad-stream-cut', { meddle: cut });
  const { guest, story } = await newGuest(rack, 'one');
  await story.enrol(image('debian-12'));
  await guest.powerOn();
  const attempt = await endOfAttempt(rack, guest, 300);
  expect(attempt.outcome).toBe('succeeded');
  expect(cuts).toBeGreaterThan(3);
});

test('a disk that is too small is refused with a reason, before anything is written to it', async () => {
  rack = await startRack('small-disk');
  const { guest, story } = await newGuest(rack, 'one', { diskBytes: 600 * 1024 ** 2 });
  await story.enrol(image('debian-12'));
  await guest.powerOn();
  const attempt = await endOfAttempt(rack, guest, 120);
  expect(attempt.outcome).toBe('failed');
  expect(attempt.reason).toMatch(/too small|small/);
});
