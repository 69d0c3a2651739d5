import type { Progress, Step } from './progress.ts';
import { bytes, duration, percent } from './quantity.ts';
import { clean, cut, pad } from './text.ts';
import type { Output } from './world.ts';

const PHASE_COLUMNS = 11;
const BAR_COLUMNS = 24;
/** A rate is taken over so long. */
const RATE_WINDOW_MS = 4000;
/** Redrawn so often while nothing happens, so that the seconds go on. */
const REDRAW_MS = 1000;
/** Messages that a failure shows: what they said was overwritten as it came. */
const TAIL_LINES = 20;

/** For terminals: one line that changes. A phase that is over stays, with the time it took. */
export class LiveProgress implements Progress {
  readonly #stderr: Output;
  readonly #now: () => number;
  #phase: { step: Step; since: number; samples: { at: number; done: number }[] } | null = null;
  #tail: string[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(stderr: Output, now: () => number) {
    this.#stderr = stderr;
    this.#now = now;
  }

  step(step: Step): void {
    const now = this.#now();
    if (this.#phase?.step.phase !== step.phase) {
      this.#keepPhase();
      this.#tail = [];
      this.#phase = { step, since: now, samples: [] };
    }
    this.#phase.step = step;
    this.#sample(step.bytesDone, now);
    if (step.bytesDone === undefined) this.#tail = [...this.#tail, step.message].slice(-TAIL_LINES);
    this.#timer ??= setInterval(() => this.#draw(), REDRAW_MS).unref();
    this.#draw();
  }

  note(text: string): void {
    this.#stderr.write(`\r\x1b[K${clean(text)}\n`);
    this.#draw();
  }

  end(outcome: 'done' | 'failed'): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#keepPhase();
    this.#phase = null;
    if (outcome === 'failed') for (const line of this.#tail) this.#stderr.write(`    ${clean(line)}\n`);
    this.#tail = [];
  }

  /** The line of a phase stays as it was at its end. */
  #keepPhase(): void {
    if (this.#phase === null) return;
    const { step, since } = this.#phase;
    const took = duration(this.#now() - since);
    const amount = step.bytesTotal === undefined ? clean(step.message) : bytes(step.bytesTotal);
    this.#write(step.phase, [amount, took], '\n');
  }

  #sample(done: number | undefined, now: number): void {
    const samples = this.#phase?.samples;
    if (samples === undefined || done === undefined) return;
    // Less than before: another count has begun in the same phase.
    if (done < (samples.at(-1)?.done ?? 0)) samples.length = 0;
    samples.push({ at: now, done });
    while (samples.length > 2 && now - (samples[1]?.at ?? now) > RATE_WINDOW_MS) samples.shift();
  }

  #draw(): void {
    if (this.#phase === null) return;
    const { step, since } = this.#phase;
    const elapsed = duration(Math.floor((this.#now() - since) / 1000) * 1000 || 0);
    this.#write(step.phase, [this.#amount(step), elapsed]);
  }

  #amount({ message, bytesDone, bytesTotal }: Step): string {
    if (bytesDone === undefined || bytesTotal === undefined) return clean(message);
    const share = percent(bytesDone, bytesTotal);
    const filled = Math.floor((share * BAR_COLUMNS) / 100);
    const bar = '█'.repeat(filled) + '░'.repeat(BAR_COLUMNS - filled);
    const amount = `${bytes(bytesDone)} of ${bytes(bytesTotal)}${this.#rate()}`;
    return `${bar} ${String(share).padStart(3)}%  ${amount}${message === '' ? '' : `  ${clean(message)}`}`;
  }

  #rate(): string {
    const samples = this.#phase?.samples ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    if (!first || !last || last.at - first.at < 200) return '';
    return `  ${bytes(((last.done - first.done) / (last.at - first.at)) * 1000)}/s`;
  }

  /** The last column stays free: a full line would wrap, and could not be overwritten. */
  #write(phase: string, [text, time]: readonly [string, string], ending = ''): void {
    const room = (this.#stderr.columns ?? 80) - 1;
    const head = `${pad(clean(phase), PHASE_COLUMNS)} `;
    const tail = time === '0 ms' ? '' : `  ${time}`;
    const line = cut(head + cut(text, Math.max(10, room - head.length - tail.length)) + tail, room);
    this.#stderr.write(`\r${line}\x1b[K${ending}`);
  }
}
