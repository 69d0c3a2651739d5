import { bytes, duration, percent } from '../words/quantity.ts';
import type { Progress, Step } from './progress.ts';
import { timeLeft } from './quantity.ts';
import { Rate } from './rate.ts';
import { clean, cut, pad } from './text.ts';
import type { Output } from './world.ts';

const PHASE_COLUMNS = 11;
/** The bar gives way to the figures where the terminal is narrow. */
const BAR = { least: 8, most: 24, figures: 67 };
/** Redrawn so often while nothing happens, so that the seconds go on. */
const REDRAW_MS = 1000;
/** Messages that a failure shows: what they said was overwritten as it came. */
const TAIL_LINES = 20;

/** For terminals: one line that changes. A phase that is over stays, with the time it took. */
export class LiveProgress implements Progress {
  readonly #stderr: Output;
  readonly #now: () => number;
  #phase: { step: Step; since: number; rate: Rate } | null = null;
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
      this.#phase = { step, since: now, rate: new Rate() };
    }
    this.#phase.step = step;
    if (step.bytesDone !== undefined) this.#phase.rate.take(step.bytesDone, now);
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
    this.#write(step.phase, [whole(step), took], '\n');
  }

  #draw(): void {
    if (this.#phase === null) return;
    const { step, since, rate } = this.#phase;
    const now = this.#now();
    const left =
      step.bytesTotal === undefined || step.bytesDone === step.bytesTotal
        ? null
        : rate.msUntil(step.bytesTotal, now);
    const time = left === null ? wholeSeconds(now - since) : timeLeft(left);
    this.#write(step.phase, [this.#amount(step, rate.perSecond(now)), time]);
  }

  #amount(step: Step, rate: number | null): string {
    const { message, stepsDone, stepsTotal, bytesDone, bytesTotal } = step;
    const said = message === '' ? '' : `  ${clean(message)}`;
    const pace = rate === null ? '' : `  ${bytes(rate)}/s`;
    if (bytesDone !== undefined && bytesTotal !== undefined)
      return `${this.#bar(bytesDone, bytesTotal)}  ${bytes(bytesDone)} of ${bytes(bytesTotal)}${pace}${said}`;
    if (bytesDone !== undefined) return `${bytes(bytesDone)}${pace}${said}`;
    if (stepsDone !== undefined && stepsTotal !== undefined && stepsTotal > 0)
      return `${this.#bar(stepsDone, stepsTotal)}  ${stepsDone} of ${stepsTotal}${said}`;
    return clean(message);
  }

  #bar(done: number, total: number): string {
    const columns = Math.min(BAR.most, Math.max(BAR.least, (this.#stderr.columns ?? 80) - 1 - BAR.figures));
    const share = percent(done, total);
    const filled = Math.floor((share * columns) / 100);
    return `${'█'.repeat(filled)}${'░'.repeat(columns - filled)} ${String(share).padStart(3)}%`;
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

/** What a phase was about, when it is over. */
function whole({ message, stepsTotal, bytesDone, bytesTotal }: Step): string {
  if (bytesTotal !== undefined) return bytes(bytesTotal);
  if (bytesDone !== undefined) return bytes(bytesDone);
  if (stepsTotal !== undefined && stepsTotal > 0) return `${stepsTotal} step${stepsTotal === 1 ? '' : 's'}`;
  return clean(message);
}

function wholeSeconds(ms: number): string {
  return duration(Math.floor(ms / 1000) * 1000);
}
