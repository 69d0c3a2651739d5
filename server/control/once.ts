import { WarmbootError } from '../core/errors.ts';
import type { OnceAnswer, OnceKey, OnceUseCases } from '../core/once-port.ts';
import type { Clock, Store } from '../core/ports.ts';

/** How long an answer is kept, and how many are. */
const KEPT_MS = 24 * 3_600_000;
const KEPT = 20_000;
const COLLECT_MS = 60_000;

/** Requests that are done once, however often they come. */
export function onceCases(store: Pick<Store, 'once'>): OnceUseCases {
  const running = new Set<string>();
  return {
    async run(key: OnceKey, request: string, task: () => Promise<OnceAnswer | null>) {
      const name = JSON.stringify([key.token, key.key]);
      if (running.has(name))
        throw new WarmbootError(
          'conflict',
          'The first request with this Idempotency-Key is still being carried out. Send it again in a moment.',
        );
      running.add(name);
      try {
        const known = await store.once.begin(key, request);
        if (known && known.request !== request)
          throw new WarmbootError(
            'invalid',
            'This Idempotency-Key was sent with another request. Make a new key for each request.',
          );
        if (known?.answer) return known.answer;
        if (known?.state === 'applied')
          throw new WarmbootError(
            'conflict',
            'This request was carried out already, and its answer was not kept. Look at what there is before you send it with a new Idempotency-Key.',
          );
        // What is only `begun` broke off before it changed anything: it is done now.
        let answer: OnceAnswer | null = null;
        try {
          answer = await store.once.within(key, task);
        } finally {
          await store.once.settle(key, answer);
        }
        return null;
      } finally {
        running.delete(name);
      }
    },
  };
}

/** Forgets keys of yesterday, once a minute. */
export function keyCollector({
  store,
  clock,
}: {
  store: Pick<Store, 'once'>;
  clock: Clock;
}): () => Promise<void> {
  let next = 0;
  return async () => {
    if (clock() < next) return;
    next = clock() + COLLECT_MS;
    await store.once.collect(clock() - KEPT_MS, KEPT);
  };
}
