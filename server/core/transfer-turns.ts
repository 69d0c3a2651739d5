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

/** `machine`: one that fetches for itself. `others`: perhaps many behind one address, such as a mirror. */
export type Asker = 'machine' | 'others';

export type Turns = {
  /** @param random from 0 to 1, so that those who were refused together do not come back together */
  ask(host: string, now: number, random: number, asker?: Asker): Answer;
  /** After a `begin`, once. @param willGoOn it has not got all there is, so its place is kept for a moment */
  end(host: string, now: number, willGoOn: boolean): void;
  /** Who is sent something, and who was told to come back. */
  readonly active: number;
  readonly waiting: number;
};

/** Those who will be next come back this soon, so that a place which becomes free is not free for long. */
const NEXT_SECONDS = 2;
const FARTHEST_SECONDS = 30;
/** Who does not come back when it was told to, and so long after, has lost its turn. */
const LATE_MS = 20_000;
/** A machine that fetches an image in parts is back this soon for the next one, and need not stand in line for each. */
const KEPT_MS = 2_000;
/** A stranger who makes up hosts pushes out nobody who waits. */
const MOST_WAITING = 65_536;

export function transferTurns({ all, each }: TurnLimits): Turns {
  const sending = new Map<string, number>();
  /** Until when a host's turn is kept, in the order in which they came. */
  const line = new Map<string, number>();
  /** Until when the place of a host is kept whose last transfer has ended, in the order in which they ended. */
  const kept = new Map<string, number>();
  let active = 0;

  /** How many places are kept for others than this host. */
  function keptFor(host: string, now: number): number {
    for (const [other, until] of kept) {
      if (until >= now) break;
      kept.delete(other);
    }
    return kept.size - (kept.has(host) ? 1 : 0);
  }

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
    ask(host, now, random, asker = 'others') {
      const own = sending.get(host) ?? 0;
      const free = all - active - keptFor(host, now);
      const ahead = before(host, now, Math.max(all, free));
      // A machine that is sent something already is only faster for a second transfer: others come before that.
      const isSecond = asker === 'machine' && own > 0;
      const isNext = isSecond ? ahead === 0 && free > 0 : kept.has(host) || ahead < free;
      if (own < each && isNext) {
        line.delete(host);
        kept.delete(host);
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
      if (why === 'all' && !isSecond && (line.has(host) || line.size < MOST_WAITING))
        line.set(host, now + afterSeconds * 1000 + LATE_MS);
      return { kind: 'later', afterSeconds, why };
    },
    end(host, now, willGoOn) {
      const own = (sending.get(host) ?? 0) - 1;
      active -= 1;
      if (own > 0) sending.set(host, own);
      else sending.delete(host);
      kept.delete(host);
      if (own === 0 && willGoOn) kept.set(host, now + KEPT_MS);
    },
    get active() {
      return active;
    },
    get waiting() {
      return line.size;
    },
  };
}
