/** How fast what lies so long back counts for little: a rate that people can read neither jumps nor lags. */
const MEMORY_MS = 5000;
/** Counts come in bursts; only a longer silence is a slower pace. */
const SILENCE_MS = 2000;
/** Less than this says nothing about a pace. */
const MIN_MS = 200;

/** The smoothed pace of a count of bytes. Times are milliseconds. */
export class Rate {
  #last: { at: number; done: number } | null = null;
  #sum = 0;
  #weight = 0;

  take(done: number, now: number): void {
    // Less than before: another count has begun.
    if (this.#last === null || done < this.#last.done) {
      this.#last = { at: now, done };
      this.#sum = 0;
      this.#weight = 0;
      return;
    }
    const ms = now - this.#last.at;
    if (ms < MIN_MS) return;
    const kept = Math.exp(-ms / MEMORY_MS);
    this.#sum = this.#sum * kept + ((done - this.#last.done) / ms) * (1 - kept);
    this.#weight = this.#weight * kept + (1 - kept);
    this.#last = { at: now, done };
  }

  /** Bytes per second; null while too little is known. */
  perSecond(now: number): number | null {
    if (this.#last === null || this.#weight === 0) return null;
    const silence = now - this.#last.at;
    const kept = silence > SILENCE_MS ? Math.exp(-(silence - SILENCE_MS) / MEMORY_MS) : 1;
    return ((this.#sum * kept) / (this.#weight * kept + (1 - kept))) * 1000;
  }

  /** Milliseconds until `total` is reached at this pace; null where nobody can tell. */
  msUntil(total: number, now: number): number | null {
    const rate = this.perSecond(now);
    if (rate === null || this.#last === null) return null;
    const ms = ((total - this.#last.done) / rate) * 1000;
    return ms > 0 && ms < MOST_MS ? ms : null;
  }
}

/** A day: more is not an estimate but a halt. */
const MOST_MS = 86_400_000;
