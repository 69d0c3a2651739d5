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
    ['comes back four times without a word', minutes(0, 3, 6, 9, 12), `${disks(4)} installer`],
    [
      'gets no further by that either: once its disk may come up',
      minutes(0, 3, 6, 9, 12, 15, 18, 21, 24, 27),
      `${disks(4)} installer ${disks(4)} installer`,
    ],
    ['starts again and again within a minute', minutes(0, 1, 2, 3, 4, 5, 6, 7, 8), `${disks(8)} installer`],
    ['asks some times in each start', minutes(0, 0.2, 0.4, 0.7, 1, 1.7, 4, 4.1, 8), disks(9)],
    [
      'asks twice in the one that gets the installer',
      minutes(0, 3, 6, 9, 12, 12.1),
      `${disks(4)} installer installer`,
    ],
    ['has a firmware that takes 20 minutes', minutes(0, 21, 42, 63, 84), `${disks(4)} installer`],
    ['was switched off for a night', minutes(0, 3, 6, 600, 603, 606, 609, 612), `${disks(7)} installer`],
    [
      'has a server whose clock is set back',
      minutes(60, 63, 66, 69, 72, 0, 3, 6, 9),
      `${disks(4)} installer ${disks(4)}`,
    ],
  ])('and %s', (_, times, given) => {
    expect(asks(times)).toBe(given);
  });

  test('and whose system was heard begins anew', () => {
    expect(asks(minutes(0, 3, 6, 9, 12, 15, 18, 21, 24), 10 * MINUTE)).toBe(`${disks(8)} installer`);
  });

  test('others do not count for it; of very many the first are forgotten', () => {
    const told: DisksTold = new Map();
    const ask = (hostId: string, now: number) => givesDiskUp(told, { hostId, heardAt: -1, now });
    const gaveUp = [0, 3, 6, 9, 12].map((n) => [ask('a', n * MINUTE), n < 12 && ask('b', n * MINUTE)]);
    expect(gaveUp.flat()).toEqual([...Array(8).fill(false), true, false]);
    for (let n = 0; n < 10_000; n += 1) ask(`host-${n}`, 15 * MINUTE);
    expect([told.size, told.has('a'), told.has('host-0')]).toEqual([10_000, false, true]);
  });
});
