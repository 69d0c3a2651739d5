import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Follows a growing file line by line, from its beginning; it need not exist yet. */
export class Tail {
  readonly #path: string;
  readonly #online: (line: string) => void;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #running = true;
  readonly #loop: Promise<void>;

  constructor(path: string, online: (line: string) => void, everyMs = 100) {
    this.#path = path;
    this.#online = online;
    this.#loop = this.#follow(everyMs);
  }

  async #follow(everyMs: number): Promise<void> {
    while (this.#running) {
      await this.#read();
      await sleep(everyMs);
    }
    await this.#read();
  }

  async #read(): Promise<void> {
    const file = await open(this.#path, 'r').catch(() => undefined);
    if (file === undefined) return;
    try {
      const chunk = Buffer.alloc(256 * 1024);
      for (;;) {
        const { bytesRead } = await file.read(chunk, 0, chunk.length, this.#offset);
        if (bytesRead === 0) return;
        this.#offset += bytesRead;
        this.#take(Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]));
      }
    } finally {
      await file.close();
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
  async close(): Promise<void> {
    this.#running = false;
    await this.#loop;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const ESCAPES = /\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>c78]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** A line of a serial console as people would read it: no colours, no cursor movements, no padding. */
export function plainText(line: string): string {
  return line.replace(ESCAPES, '').trimEnd();
}
