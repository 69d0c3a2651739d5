import { describe, expect, test } from 'vitest';
import { type DisksTold, givesDiskUp } from '../../server/core/disk-starts.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** What a host is given that asks at these times; `heard`: its system said something then. */
function asks(times: readonly number[], heard = -1): string {
  const told: DisksTold = new Map();
  return times
    .map((now) => {
      const gaveUp = givesDiskUp(told, { hostId: 'h', heardAt: heard < now ? heard : -1, now });
      return gaveUp ? 'installer' : 'disk';
    })
    .join(' ');
}

describe('a machine that is told to boot its disk', () => {
  const disks = (count: number) => Array(count).fill('disk').join(' ');
  const minutes = (...at: readonly number[]) => at.map((n) => n * MINUTE);

  test.each([
    ['comes back four times without a word', minutes(0, 1, 2, 3, 4), `${disks(4)} installer`],
    ['and goes on so', minutes(0, 1, 2, 3, 4, 5, 6), `${disks(4)} installer installer installer`],
    ['asks some times in each start', minutes(0, 0.1, 0.3, 1, 1.1, 1.2, 2, 2.1), disks(8)],
    [
      'asks twice in the one that gets the installer',
      minutes(0, 1, 2, 3, 4, 4.1),
      `${disks(4)} installer installer`,
    ],
    ['has a firmware that takes 20 minutes', minutes(0, 21, 42, 63, 84), `${disks(4)} installer`],
    ['was switched off for a night', minutes(0, 1, 2, 600, 601, 602, 603, 604), `${disks(7)} installer`],
  ])('and %s', (_, times, given) => {
    expect(asks(times)).toBe(given);
  });

  test('and whose system was heard begins anew', () => {
    expect(asks(minutes(0, 1, 2, 3, 5, 6, 7, 8, 9), 4 * MINUTE)).toBe(`${disks(8)} installer`);
  });

  test('others do not count for it; of very many the first are forgotten', () => {
    const told: DisksTold = new Map();
    const ask = (hostId: string, now: number) => givesDiskUp(told, { hostId, heardAt: -1, now });
    const gaveUp = [0, 1, 2, 3, 4].map((n) => [ask('a', n * MINUTE), n < 4 && ask('b', n * MINUTE)]);
    expect(gaveUp.flat()).toEqual([...Array(8).fill(false), true, false]);
    for (let n = 0; n < 10_000; n += 1) ask(`host-${n}`, 5 * MINUTE);
    expect([told.size, told.has('a'), told.has('host-0')]).toEqual([10_000, false, true]);
  });
});
