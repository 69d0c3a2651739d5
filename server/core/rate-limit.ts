/** A bucket that fills by one every `everyMs` up to `burst`; each call takes one out. Times are milliseconds. */
export type Rate = { readonly burst: number; readonly everyMs: number };

/** Sources that are remembered; a stranger with more addresses pushes out the oldest. */
const KEPT_SOURCES = 4_096;

/** Limits calls by source, and all of them together. In memory: it protects the server that runs. */
export function rateLimit(each: Rate, total: Rate): (source: string, now: number) => boolean {
  const levels = new Map<string, { level: number; at: number }>();
  const all = { level: total.burst, at: 0 };
  return (source, now) => {
    const known = levels.get(source) ?? { level: each.burst, at: now };
    // The latest comes last, so that the oldest is the first to go.
    levels.delete(source);
    levels.set(source, known);
    const [oldest] = levels.keys();
    if (levels.size > KEPT_SOURCES && oldest !== undefined) levels.delete(oldest);
    fill(known, each, now);
    fill(all, total, now);
    if (known.level < 1 || all.level < 1) return false;
    known.level -= 1;
    all.level -= 1;
    return true;
  };
}

function fill(bucket: { level: number; at: number }, { burst, everyMs }: Rate, now: number): void {
  // A clock that was set back fills nothing, and loses nothing.
  bucket.level = Math.min(burst, bucket.level + Math.max(0, now - bucket.at) / everyMs);
  bucket.at = now;
}
