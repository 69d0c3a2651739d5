import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Feed, LogRecord } from './feed.ts';
import { SERVER_ADDRESS } from './network.ts';
import { inCheckout } from './paths.ts';
import { Tail } from './tail.ts';

/** The one line `serve` prints when it is ready. */
export interface Ready {
  readonly ready: true;
  readonly bootUrl: string;
  readonly bootPort: number;
  readonly adminUrl: string;
}

export interface ServerPlace {
  /** Its data folder, with the images in it. */
  readonly data: string;
  /** For its log. */
  readonly folder: string;
  readonly feed: Feed;
  readonly bootPort: number;
  /** The port that the server names to the hosts; another one when something stands in between. */
  readonly namedPort?: number;
  /** Further arguments of `serve`. */
  readonly serve?: readonly string[];
}

/** The product's server as an operator starts it, `./warmboot serve`; may be killed and started again. */
export class Server {
  readonly #place: ServerPlace;
  readonly #tail: Tail;
  readonly log: string;
  #process: ChildProcess | undefined;
  #ready: Ready | undefined;
  #token = '';

  private constructor(place: ServerPlace) {
    this.#place = place;
    this.log = join(place.folder, 'server.log');
    this.#tail = new Tail(this.log, (line) => {
      const record = logRecord(line);
      if (record !== undefined) place.feed.push(null, { source: 'log', record });
    });
  }

  static async start(place: ServerPlace): Promise<Server> {
    const server = new Server(place);
    await server.start();
    return server;
  }

  get adminUrl(): string {
    if (this.#ready === undefined) throw new Error('the server does not run');
    return this.#ready.adminUrl.replace(/\/$/, '');
  }
  get token(): string {
    return this.#token;
  }
  get isRunning(): boolean {
    return this.#ready !== undefined;
  }

  async start(): Promise<void> {
    const { data, bootPort, namedPort = bootPort, serve = [] } = this.#place;
    const log = openSync(this.log, 'a');
    const child = spawn(inCheckout('warmboot'), ['serve', ...serve], {
      stdio: ['ignore', 'pipe', log],
      // A process group of its own: Ctrl-C at the terminal is for the demo, which then ends the server.
      detached: true,
      env: {
        ...process.env,
        WARMBOOT_DATA: data,
        WARMBOOT_BOOT_LISTEN: `${SERVER_ADDRESS}:${bootPort}`,
        WARMBOOT_BOOT_URL: `http://${SERVER_ADDRESS}:${namedPort}`,
        WARMBOOT_ADMIN_LISTEN: '127.0.0.1:8081',
        WARMBOOT_TFTP_LISTEN: `${SERVER_ADDRESS}:69`,
      },
    });
    closeSync(log);
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = this.#ready = undefined;
    });
    this.#ready = await this.#readyLine(child);
    this.#token = (await readFile(join(data, 'admin.token'), 'utf8')).trim();
  }

  #readyLine(child: ChildProcess): Promise<Ready> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail('was not ready within 60 s'), 60_000);
      const fail = (why: string) => {
        clearTimeout(timer);
        child.kill('SIGKILL');
        this.#lastWords().then((words) => reject(new Error(`the server ${why}. ${words}(log: ${this.log})`)));
      };
      child.once('error', (error) => fail(`could not be started: ${error.message}`));
      child.once('exit', (code, signal) =>
        fail(`ended with ${signal ?? `code ${code}`} before it was ready`),
      );
      if (child.stdout === null) return;
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        const said = JSON.parse(line) as Partial<Ready>;
        if (said.ready !== true) return;
        clearTimeout(timer);
        child.removeAllListeners('exit');
        child.once('exit', () => {
          if (this.#process === child) this.#process = this.#ready = undefined;
        });
        resolve(said as Ready);
      });
    });
  }

  async #lastWords(): Promise<string> {
    const lines = (await readFile(this.log, 'utf8').catch(() => '')).trim().split('\n').slice(-3);
    return lines[0] ? `It said: ${lines.join(' / ')} ` : '';
  }

  /** SIGKILL: as if its machine had lost power. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await gone;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    await this.#end('SIGTERM');
    this.#tail.close();
  }
}

/** A line of the server's log; what its set-up or a crash prints in between is none. */
function logRecord(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as LogRecord;
  } catch {
    return undefined;
  }
}
