/**
 * Whose turn it is to be sent something large. So many at once and no more; of those who were told to come back the one who has
 * waited for longest goes first, whoever asks in between. Pure but for what it remembers; times are milliseconds.
 */
export type TurnLimits = {
  /** At once, all together. */
  readonly all: number;
  /** At once, of one host. */
  readonly each: number;
};

export type Answer =
  | { readonly kind: 'begin' }
  /** `why`: all places are taken, or as many as this host may have. */
  | { readonly kind: 'later'; readonly afterSeconds: number; readonly why: 'all' | 'each' };

export type Turns = {
  /** @param random from 0 to 1, so that those who were refused together do not come back together */
  ask(host: string, now: number, random: number): Answer;
  /** After a `begin`, once. */
  end(host: string): void;
  /** Who is sent something, and who was told to come back. */
  readonly active: number;
  readonly waiting: number;
};

/** Those who will be next come back this soon, so that a place which becomes free is not free for long. */
const NEXT_SECONDS = 2;
const FARTHEST_SECONDS = 30;
/** Who does not come back when it was told to, and so long after, has lost its turn. */
const LATE_MS = 20_000;
/** A stranger who makes up hosts pushes out nobody who waits. */
const MOST_WAITING = 65_536;

export function transferTurns({ all, each }: TurnLimits): Turns {
  const sending = new Map<string, number>();
  /** Until when a host's turn is kept, in the order in which they came. */
  const line = new Map<string, number>();
  let active = 0;

  /** How many are before this host, counted no further than `most`. */
  function before(host: string, now: number, most: number): number {
    let count = 0;
    for (const [other, keptUntil] of line) {
      if (other === host || count > most) break;
      if (keptUntil < now) line.delete(other);
      // Who has all that it may have takes no place, so it keeps none from others.
      else if ((sending.get(other) ?? 0) < each) count += 1;
    }
    return count;
  }

  return {
    ask(host, now, random) {
      const own = sending.get(host) ?? 0;
      const free = all - active;
      const ahead = before(host, now, Math.max(all, free));
      if (own < each && ahead < free) {
        line.delete(host);
        sending.set(host, own + 1);
        active += 1;
        return { kind: 'begin' };
      }
      // For the second of its own transfers a host waits for itself: it is not in the line of all.
      const why = own < each ? 'all' : 'each';
      // Who is that far behind need not be counted out.
      const rounds = why === 'all' ? Math.floor((ahead > all ? line.size : ahead) / all) : 0;
      const least = Math.min(NEXT_SECONDS * (1 + rounds), FARTHEST_SECONDS);
      const afterSeconds = Math.ceil(least * (1 + random));
      if (why === 'all' && (line.has(host) || line.size < MOST_WAITING))
        line.set(host, now + afterSeconds * 1000 + LATE_MS);
      return { kind: 'later', afterSeconds, why };
    },
    end(host) {
      const own = (sending.get(host) ?? 0) - 1;
      if (own > 0) sending.set(host, own);
      else sending.delete(host);
      active -= 1;
    },
    get active() {
      return active;
    },
    get waiting() {
      return line.size;
    },
  };
}
