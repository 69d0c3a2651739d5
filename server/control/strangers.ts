import type { Rate } from '../core/rate-limit.ts';

/**
 * How often those who have proven nothing may make the server write something down: by source (an address or a host), and all
 * together. A machine says a few words a boot; behind one address there may be a whole network.
 */
export const STRANGERS: { readonly each: Rate; readonly all: Rate } = {
  each: { burst: 100, everyMs: 6_000 },
  all: { burst: 2_000, everyMs: 100 },
};
