import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Guest } from '../../lab/guest.ts';
import type { Meddling } from '../../lab/meddler.ts';
import type { Rack } from '../../lab/rack.ts';
import { endOfAttempt, image, newGuest, startRack } from './support.ts';

/** Three machines at once in one rack; what is spoilt goes by the image, so each has its own. */
const ALTERED = 'debian-12';
const CUT = 'debian-13';
const UNTOUCHED = 'debian-11';

let rack: Rack;
let cuts = 0;
const guests = new Map<string, Guest>();

function meddle(path: string, from: number): Meddling | undefined {
  const of = (name: string) => path.startsWith(`/boot/images/${image(name).digest}/data`);
  if (of(ALTERED)) return { kind: 'alter', at: 3_000_000 };
  if (of(CUT) && cuts++ < 3) return { kind: 'cut', at: from + 3_000_000 };
  return undefined;
}

beforeAll(async () => {
  rack = await startRack('bad-stream', { meddle });
  guests.set(ALTERED, (await newGuest(rack, 'altered')).guest);
  guests.set(CUT, (await newGuest(rack, 'cut', { firmware: 'bios' })).guest);
  guests.set(UNTOUCHED, (await newGuest(rack, 'small', { diskBytes: 600 * 1024 ** 2 })).guest);
});
afterAll(() => rack?.close());

async function installed(name: string, seconds: number) {
  const guest = guests.get(name) as Guest;
  await rack.api.addHost({ macs: [guest.mac], image: image(name).digest });
  await guest.powerOn();
  const attempt = await endOfAttempt(rack, guest, seconds);
  return { attempt, host: await rack.api.host(guest.mac) };
}

test.concurrent('a bit turned over on the way, each time: the flash is reported as failed with a reason', async () => {
  const { attempt, host } = await installed(ALTERED, 300);
  expect(attempt.outcome).toBe('failed');
  expect(attempt.reason).toMatch(/write|check|sha256|stream|data/i);
  expect(Object.values(host.observation?.slots ?? {}).map(({ state }) => state)).not.toContain('valid');
});

test.concurrent('streams that break three times are taken up where they broke', async () => {
  const { attempt } = await installed(CUT, 300);
  expect(attempt.outcome).toBe('succeeded');
  expect(cuts).toBeGreaterThan(3);
});

test.concurrent('a disk that is too small is refused with a reason, before anything is written to it', async () => {
  const { attempt } = await installed(UNTOUCHED, 120);
  expect(attempt.outcome).toBe('failed');
  expect(attempt.reason).toMatch(/too small|small/);
});
