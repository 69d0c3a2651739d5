import type { Fleet } from '../core/poll.ts';
import type { Clock, Store } from '../core/ports.ts';

/** How many hosts there are and whether the server keeps up with them, as far as hosts are told of it. */
export type Census = {
  now(): Fleet;
  /** Looks again when a minute has passed. */
  look(): Promise<void>;
};

const EVERY_MS = 60_000;
/** An answer that is later than this on an ordinary day is a server that does not keep up. */
const PRESSED_LAG_MS = 200;
/** So long hosts are told to ask less, lest it change all the time. */
const RELIEF_MS = 10 * 60_000;

/** @param lagMs by how much the server was late, usually, since it was asked last */
export function createCensus(store: Pick<Store, 'lookups'>, clock: Clock, lagMs: () => number): Census {
  let hosts = 0;
  let pressedUntil = 0;
  let nextLook = 0;
  return {
    now: () => ({ hosts, isPressed: clock() < pressedUntil }),
    async look() {
      const now = clock();
      // A clock that was set back must not stop it.
      if (now < nextLook && nextLook - now <= EVERY_MS) return;
      nextLook = now + EVERY_MS;
      if (lagMs() > PRESSED_LAG_MS) pressedUntil = now + RELIEF_MS;
      hosts = await store.lookups.hostCount();
    },
  };
}
