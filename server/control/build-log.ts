import type { BuildProgress } from '../core/build-ports.ts';
import type { BuildNews } from '../core/use-cases.ts';

/** A log may be long (apt-get); what a person still scrolls back to is kept. */
const KEPT_ENTRIES = 5_000;

/** What one build said, for any number of readers who come at any time. */
export class BuildLog {
  #entries: BuildProgress[] = [];
  #dropped = 0;
  #ended = false;
  #buildsBefore = 0;
  #wake = latch();

  add(entry: BuildProgress): void {
    this.#entries.push(entry);
    if (this.#entries.length > KEPT_ENTRIES) {
      this.#entries.shift();
      this.#dropped++;
    }
    this.#signal();
  }

  /** That the build still waits is no entry: it is told only while it is so. */
  waits(buildsBefore: number): void {
    this.#buildsBefore = buildsBefore;
    this.#signal();
  }

  end(): void {
    this.#ended = true;
    this.#signal();
  }

  /** Everything kept, then what comes, until the build ends or `signal` aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<BuildNews> {
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    );
    let next = 0;
    let told = 0;
    while (!signal.aborted) {
      const wake = this.#wake.promise;
      if (told !== this.#buildsBefore) {
        told = this.#buildsBefore;
        if (told > 0) yield { buildsBefore: told };
        continue;
      }
      next = Math.max(next, this.#dropped);
      const entry = this.#entries[next - this.#dropped];
      if (entry) {
        next++;
        yield { ...entry, number: next };
      } else if (this.#ended) return;
      else await Promise.race([wake, aborted]);
    }
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = latch();
  }
}

/** A promise and how to resolve it (Promise.withResolvers is not in Node 20). */
function latch(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
