import { closeSync, existsSync, openSync, readSync } from 'node:fs';

/**
 * Follows a growing file line by line, from its beginning; it need not exist yet. Reads at once, without waiting: whoever must know
 * what stands in one log before he judges what stands in another asks for it by {@link Tail.read}.
 */
export class Tail {
  readonly #path: string;
  readonly #online: (line: string) => void;
  readonly #chunk = Buffer.alloc(256 * 1024);
  readonly #timer: NodeJS.Timeout;
  #file: number | undefined;
  #rest = Buffer.alloc(0);
  #ended = false;

  constructor(path: string, online: (line: string) => void, everyMs = 100) {
    this.#path = path;
    this.#online = online;
    this.#timer = setInterval(() => this.read(), everyMs);
  }

  /** Takes all that was written up to now. */
  read(): void {
    if (this.#ended) return;
    if (this.#file === undefined && existsSync(this.#path)) this.#file = openSync(this.#path, 'r');
    if (this.#file === undefined) return;
    for (;;) {
      const length = readSync(this.#file, this.#chunk);
      if (length === 0) return;
      this.#take(Buffer.concat([this.#rest, this.#chunk.subarray(0, length)]));
    }
  }

  #take(bytes: Buffer): void {
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a, start)) {
      this.#online(bytes.subarray(start, end).toString('utf8'));
      start = end + 1;
    }
    this.#rest = Buffer.from(bytes.subarray(start));
  }

  /** Reads what is there still, then ends. */
  close(): void {
    clearInterval(this.#timer);
    this.read();
    if (!this.#ended && this.#file !== undefined) closeSync(this.#file);
    this.#ended = true;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const ESCAPES = /\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>c78]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** A line of a serial console as people would read it: no colours, no cursor movements, no padding. */
export function plainText(line: string): string {
  return line.replace(ESCAPES, '').trimEnd();
}
