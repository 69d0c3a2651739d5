import type { MiddlewareHandler } from 'hono';

/**
 * Nobody is told what a power cut could take back: an answer waits until the disk has what was committed before it.
 * @param settled null when it has
 */
export function onceSettled(settled: () => Promise<void> | null): MiddlewareHandler {
  return async (_, next) => {
    await next();
    await settled();
  };
}
