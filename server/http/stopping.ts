import type { Context, MiddlewareHandler } from 'hono';
import { problem } from './problem.ts';

/** In which a server is back most often, seconds. */
const BACK_AFTER_SECONDS = 10;

/** What still comes on connections that are open when the server stops is told to come again. */
export function refuseWhenStopping(stopping: AbortSignal, except: readonly string[] = []): MiddlewareHandler {
  return async (c: Context, next) => {
    if (!stopping.aborted || except.includes(c.req.path)) return next();
    c.header('retry-after', String(BACK_AFTER_SECONDS));
    return problem(c, 503, 'The server is stopping. Ask again when it is back.');
  };
}
