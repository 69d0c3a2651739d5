import { expect, test } from 'vitest';
import { pollSeconds } from '../../server/core/poll.ts';

const pressed = (hosts: number, hasAttempt: boolean, isPressed = false) =>
  pollSeconds(hasAttempt, { hosts, isPressed });

test.each([
  [0, 15, 5],
  [999, 15, 5],
  [1_000, 30, 10],
  [4_000, 60, 15],
  [10_000, 60, 15],
])('of %i hosts an idle one asks every %i s, one that is waited for every %i s', (hosts, idle, busy) => {
  expect([pressed(hosts, false), pressed(hosts, true)]).toEqual([idle, busy]);
  expect([pressed(hosts, false, true), pressed(hosts, true, true)]).toEqual([
    Math.min(60, 3 * idle),
    3 * busy,
  ]);
});
