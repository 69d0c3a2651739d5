import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cpuSeconds, type LocalServer, residentMib, startLocalServer } from '../../lab/local-server.ts';
import { type Answer, type At, ask } from './wire.ts';

/** The server under load: a process of its own, killed and started again on the same ports, with its use watched. */
export class Server {
  readonly #dataDir: string;
  #process: LocalServer | null = null;
  #watch: NodeJS.Timeout | null = null;
  bootAt: At = { host: '127.0.0.1', port: 0 };
  adminAt: At = { host: '127.0.0.1', port: 0 };
  /** Most memory seen, MiB. */
  peakMib = 0;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** @returns seconds until it was ready */
  async start(): Promise<number> {
    const began = performance.now();
    const server = await startLocalServer(this.#dataDir, {
      bootPort: this.bootAt.port,
      adminPort: this.adminAt.port,
    });
    this.bootAt = at(server.url);
    this.adminAt = at(server.adminUrl);
    this.#process = server;
    this.#watch = setInterval(() => {
      this.peakMib = Math.max(this.peakMib, residentMib(server.pid));
    }, 250);
    return (performance.now() - began) / 1000;
  }

  get cpuSeconds(): number {
    return cpuSeconds(this.#process?.pid ?? 0);
  }

  get databaseMib(): number {
    return (
      ['', '-wal'].reduce((sum, end) => sum + sizeOf(join(this.#dataDir, `warmboot.db${end}`)), 0) / 2 ** 20
    );
  }

  /** As a power cut would end it. */
  async kill(): Promise<void> {
    clearInterval(this.#watch ?? undefined);
    await this.#process?.kill();
    this.#process = null;
  }

  async close(): Promise<void> {
    clearInterval(this.#watch ?? undefined);
    await this.#process?.close();
    this.#process = null;
  }

  /** Asks the admin plane. @throws Error for another answer than 2xx */
  async admin<T>(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    body?: unknown,
  ): Promise<T & { readonly ms: number }> {
    const token = readFileSync(join(this.#dataDir, 'admin.token'), 'utf8').trim();
    const answer: Answer = await ask(this.adminAt, {
      method,
      path: `/api/v1${path}`,
      token,
      body,
      patienceMs: 120_000,
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return { ...(JSON.parse(answer.body.toString()) as T), ms: answer.ms };
  }
}

function at(url: string): At {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
