import { bytes, percent } from '../words/quantity.ts';
import type { Progress, Step } from './progress.ts';
import { timeLeft } from './quantity.ts';
import { Rate } from './rate.ts';
import { clean } from './text.ts';
import type { Output } from './world.ts';

const QUIET_MS = 10_000;
const STEP_PERCENT = 25;

/** For pipes and logs: every message once; of a count of bytes a line each quarter, or each ten seconds. */
export class PlainProgress implements Progress {
  readonly #stderr: Output;
  readonly #now: () => number;
  #rate = new Rate();
  #phase = '';
  #shown: { step: Step; percent: number; at: number } | null = null;

  constructor(stderr: Output, now: () => number) {
    this.#stderr = stderr;
    this.#now = now;
  }

  step(step: Step): void {
    if (step.bytesDone === undefined || step.bytesTotal === undefined) {
      const last = this.#shown?.step;
      if (last?.phase !== step.phase || last.message !== step.message) this.#show(step, 0, step.message);
      return;
    }
    const now = this.#now();
    if (this.#phase !== step.phase) this.#rate = new Rate();
    this.#phase = step.phase;
    this.#rate.take(step.bytesDone, now);
    const share = percent(step.bytesDone, step.bytesTotal);
    const pace = this.#rate.perSecond(now);
    const left = share === 100 ? null : this.#rate.msUntil(step.bytesTotal, now);
    const amount = [
      `${share}% of ${bytes(step.bytesTotal)}`,
      ...(pace === null ? [] : [`${bytes(pace)}/s`]),
      ...(left === null ? [] : [timeLeft(left)]),
    ].join(', ');
    if (this.#isWorthALine(step, share))
      this.#show(step, share, step.message === '' ? amount : `${amount} (${step.message})`);
  }

  #isWorthALine(step: Step, share: number): boolean {
    const last = this.#shown;
    if (last === null || last.step.phase !== step.phase || last.step.bytesTotal === undefined) return true;
    if (share === last.percent) return false;
    return share - last.percent >= STEP_PERCENT || share === 100 || this.#now() - last.at >= QUIET_MS;
  }

  #show(step: Step, share: number, text: string): void {
    this.#shown = { step, percent: share, at: this.#now() };
    this.note(`${step.phase}: ${text}`);
  }

  note(text: string): void {
    this.#stderr.write(`${clean(text)}\n`);
  }

  end(): void {
    this.#shown = null;
  }
}
