import { setTimeout as sleep } from 'node:timers/promises';

export interface UntilOptions {
  /** Completes the sentence "… did not happen within N s". */
  readonly what: string;
  readonly timeoutMs: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}

/** Asks again and again until `check` gives something other than undefined; throws a sentence when time is up. */
export async function until<T>(
  check: () => Promise<T | undefined> | T | undefined,
  options: UntilOptions,
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const found = await check();
    if (found !== undefined) return found;
    if (Date.now() > deadline)
      throw new Error(`${options.what} did not happen within ${Math.round(options.timeoutMs / 1000)} s`);
    await sleep(options.everyMs ?? 100, undefined, options.signal ? { signal: options.signal } : {});
  }
}
