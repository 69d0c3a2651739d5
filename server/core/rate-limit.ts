/** A bucket that fills by one every `everyMs` up to `burst`; each call takes one out. Times are whole milliseconds. */
export type Rate = { readonly burst: number; readonly everyMs: number };

/** Sources that are remembered; a stranger with more addresses pushes out the oldest. */
const KEPT_SOURCES = 4_096;

/** `creditMs` buys calls at `everyMs` each. */
type Bucket = { creditMs: number; at: number };

/**
 * Limits calls by source, and all of them together. In memory: it protects the server that runs.
 * @returns 0 for a call that may be made, else after how many milliseconds one may
 */
export function rateLimit(each: Rate, total: Rate): (source: string, now: number) => number {
  const buckets = new Map<string, Bucket>();
  const all = full(total, 0);
  return (source, now) => {
    const known = buckets.get(source) ?? full(each, now);
    // The latest comes last, so that the oldest is the first to go.
    buckets.delete(source);
    buckets.set(source, known);
    const [oldest] = buckets.keys();
    if (buckets.size > KEPT_SOURCES && oldest !== undefined) buckets.delete(oldest);
    fill(known, each, now);
    fill(all, total, now);
    const waitMs = Math.max(each.everyMs - known.creditMs, total.everyMs - all.creditMs);
    if (waitMs > 0) return waitMs;
    known.creditMs -= each.everyMs;
    all.creditMs -= total.everyMs;
    return 0;
  };
}

function full({ burst, everyMs }: Rate, at: number): Bucket {
  return { creditMs: burst * everyMs, at };
}

function fill(bucket: Bucket, { burst, everyMs }: Rate, now: number): void {
  // A clock that was set back fills nothing, and loses nothing.
  bucket.creditMs = Math.min(burst * everyMs, bucket.creditMs + Math.max(0, now - bucket.at));
  bucket.at = now;
}
