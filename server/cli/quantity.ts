import { duration } from '../words/quantity.ts';

/** `5 s left`, `2 min 10 s left`: an estimate has no fractions, and is never nothing. */
export function timeLeft(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  return `${seconds < 60 ? `${seconds} s` : duration(seconds * 1000)} left`;
}

/** `now`, `12 s ago`, `3 h ago`, `in 5 min`; `never` for null. Times are milliseconds since 1970. */
export function relative(at: number | null, now: number): string {
  if (at === null) return 'never';
  const seconds = Math.round(Math.abs(now - at) / 1000);
  if (seconds < 1) return 'now';
  const text = coarse(seconds);
  return at > now ? `in ${text}` : `${text} ago`;
}

function coarse(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
