import { formatSeconds } from './timeline.ts';

/** So long nothing may be said while something is waited for. */
const SILENCE_MS = 9_000;

/** The demo's live output: a line for each thing that happened, and on a terminal one more that moves. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #beganAt: number;
  readonly #isLive: boolean;
  /** What moves now, by guest; two guests share the line. */
  readonly #moving = new Map<string, string>();
  readonly #shown = new Map<string, number>();
  readonly #waits = new Map<string, { readonly what: string; readonly since: number }>();
  #saidAt = Date.now();

  constructor(beganAt: number, out: NodeJS.WriteStream = process.stdout) {
    this.#beganAt = beganAt;
    this.#out = out;
    this.#isLive = out.isTTY === true;
    setInterval(() => this.#breakSilence(), 1000).unref();
  }

  /** What this guest is waited for from now on; said again and again until its next line. */
  waits(guest: string, what: string): void {
    this.#waits.set(guest, { what, since: Date.now() });
  }

  line(guest: string, text: string, at = Date.now()): void {
    this.#moving.delete(guest);
    this.#waits.delete(guest);
    this.#write(guest, text, at);
  }

  #breakSilence(): void {
    const now = Date.now();
    if (now - this.#saidAt < SILENCE_MS) return;
    for (const [guest, { what, since }] of this.#waits)
      this.#write(guest, `… ${what}, for ${Math.round((now - since) / 1000)} s now`, now);
  }

  #write(guest: string, text: string, at: number): void {
    this.#saidAt = Date.now();
    this.#clear();
    const elapsed = formatSeconds(at - this.#beganAt).padStart(7);
    this.#out.write(`${elapsed}  ${guest === '' ? '' : `${guest}: `}${text}\n`);
    this.#redraw();
  }

  /** Work in progress. Without a terminal it is told at each quarter only. */
  progress(guest: string, what: string, done: number, total: number): void {
    const share = total > 0 ? Math.min(1, done / total) : 0;
    if (this.#isLive) {
      this.#moving.set(
        guest,
        `${guest}: ${what} ${Math.floor(share * 100)} % of ${(total / 1e6).toFixed(0)} MB`,
      );
      this.#redraw();
      return;
    }
    const quarter = Math.floor(share * 4);
    const key = `${guest} ${what}`;
    if ((this.#shown.get(key) ?? 0) >= quarter) return;
    this.#shown.set(key, quarter);
    this.line(guest, `${what} ${quarter * 25} % of ${(total / 1e6).toFixed(0)} MB`);
  }

  #clear(): void {
    if (this.#isLive) this.#out.write('\r\x1b[K');
  }

  #redraw(): void {
    if (!this.#isLive || this.#moving.size === 0) return;
    const text = [...this.#moving.values()].join('   ').slice(0, (this.#out.columns ?? 80) - 10);
    this.#out.write(`\r\x1b[K         ${text}`);
  }
}
