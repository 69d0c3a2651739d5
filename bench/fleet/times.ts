/** Times of requests, for percentiles. */
export class Times {
  #all: number[] = [];

  add(ms: number): void {
    this.#all.push(ms);
  }

  get count(): number {
    return this.#all.length;
  }

  clear(): void {
    this.#all = [];
  }

  /** Milliseconds that so many percent of the requests took at most. */
  percentile(percent: number): number {
    const sorted = this.#all.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
  }

  toString(): string {
    const [half, most, all] = [50, 99, 100].map((percent) => this.percentile(percent).toFixed(1));
    return `${this.count} requests, p50 ${half} ms, p99 ${most} ms, longest ${all} ms`;
  }
}
