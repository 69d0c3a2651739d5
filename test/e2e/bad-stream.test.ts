import { afterEach, expect, test } from 'vitest';
import type { Meddling } from '../../lab/meddler.ts';
import type { Rack } from '../../lab/rack.ts';
import { endOfAttempt, image, newGuest, startRack } from './support.ts';

let rack: Rack | undefined;
afterEach(async () => {
  await rack?.close();
  rack = undefined;
});

const MEDDLINGS: [string, Meddling][] = [
  ['a bit is turned over on the way', { kind: 'alter', at: 3_000_000 }],
  ['the stream breaks at the same place each time', { kind: 'cut', at: 3_000_000 }],
];

test.each(MEDDLINGS)('%s: the flash is reported as failed with a reason', async (_, meddling) => {
  const isData = (path: string) => /^\/boot\/images\/[^/]+\/data/.test(path);
  rack = await startRack(`bad-stream-${meddling.kind}`, {
    meddle: (path) => (isData(path) ? meddling : undefined),
  });
  const { guest, story } = await newGuest(rack, 'one');
  await story.enrol(image('debian-12'));
  await guest.powerOn();
  const attempt = await endOfAttempt(rack, guest, 300);
  expect(attempt.outcome).toBe('failed');
  expect(attempt.reason).toMatch(/write|check|sha256|stream|data/i);
  const host = await rack.api.host(guest.mac);
  expect(Object.values(host.observation?.slots ?? {}).map(({ state }) => state)).not.toContain('valid');
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
