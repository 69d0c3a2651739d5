import type { FileOutcome } from './outcomes.ts';

const SLOWEST = 10;

/** What a run has found so far, and what it says at its end. */
export class Results {
  readonly #files: FileOutcome[] = [];
  readonly #notes: string[] = [];

  add(...outcomes: readonly FileOutcome[]): void {
    this.#files.push(...outcomes);
  }

  /** A check that is no test file, or what kept a part from running. */
  addCheck(name: string, failure?: string): void {
    const failures = failure === undefined ? [] : [`✗ ${name}: ${failure}`];
    this.#files.push({ file: name, passed: failure === undefined ? 1 : 0, skipped: 0, failures, seconds: 0 });
  }

  /** A line for the end of the run. */
  note(line: string): void {
    this.#notes.push(line);
  }

  get #passed(): number {
    return this.#files.reduce((sum, { passed }) => sum + passed, 0);
  }

  get #failures(): readonly string[] {
    return this.#files.flatMap(({ failures }) => failures);
  }

  get isGood(): boolean {
    return this.#failures.length === 0 && this.#passed > 0;
  }

  /** The last lines of a run; the very last is `N passed, N failed`. @param missing programs that could not be started */
  summary(missing: readonly string[]): string {
    const slowest = this.#files
      .filter(({ seconds }) => seconds >= 1)
      .toSorted((a, b) => b.seconds - a.seconds);
    const skipped = this.#files.reduce((sum, file) => sum + file.skipped, 0);
    const lines = ['slowest files:'];
    for (const { file, seconds } of slowest.slice(0, SLOWEST))
      lines.push(`  ${seconds.toFixed(0)} s  ${file}`);
    lines.push(...this.#notes);
    if (this.#failures.length > 0) lines.push('failed:', ...this.#failures);
    if (missing.length > 0) lines.push(`programs that could not be started: ${missing.join(', ')}`);
    if (skipped > 0) lines.push(`${skipped} skipped`);
    lines.push(`${this.#passed} passed, ${this.#failures.length} failed`);
    return lines.join('\n');
  }

  get failures(): readonly string[] {
    return this.#failures;
  }
}
