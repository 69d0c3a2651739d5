/**
 * When the next bytes may go, so that no more than so many go in a second. All who share a pace are served in the order in which
 * they ask: each has one part under way, so they go in turns.
 * @param now milliseconds, from a clock that is never set back
 * @returns how long to wait before these bytes are sent, in milliseconds
 */
export type Pace = (bytes: number, now: number) => number;

/**
 * What may go ahead of its time. Waits are then this long or longer: a timer for each part of a fast transfer would cost the
 * processor more than the part itself.
 */
const AHEAD_MS = 20;

/** @param bytesPerSecond null: no limit */
export function pace(bytesPerSecond: number | null): Pace {
  if (bytesPerSecond === null) return () => 0;
  /** When everything that was let go will have taken its time. */
  let paidUntil = 0;
  return (bytes, now) => {
    const begins = Math.max(paidUntil, now);
    paidUntil = begins + (bytes / bytesPerSecond) * 1000;
    const wait = begins - now;
    return wait < AHEAD_MS ? 0 : wait;
  };
}
