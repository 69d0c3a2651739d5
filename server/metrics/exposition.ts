import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Exposition } from '../core/meters-port.ts';
import type { TransfersNow } from '../core/status.ts';
import type { Census } from './census.ts';

/** Facts that are looked up when somebody asks, each in a moment. */
export type Facts = {
  readonly version: string;
  readonly census: Pick<Census, 'counts'>;
  /** Bytes of the database and of its write-ahead log. */
  databaseBytes(): Promise<{ readonly main: number; readonly wal: number }>;
  transfers(): TransfersNow;
  /** Bytes that the data folder's filesystem has left for us. */
  freeBytes(): Promise<number>;
};

let ofProcess: Registry | null = null;

/** Processor, memory, open files, event loop lag, garbage collection. Of the process, so once, however many servers it runs. */
function processRegistry(): Registry {
  if (ofProcess) return ofProcess;
  ofProcess = new Registry();
  collectDefaultMetrics({ register: ofProcess });
  return ofProcess;
}

/** Of one server: a process may run several. */
export function newRegistry(): Registry {
  return new Registry();
}

/** Adds what is looked up to what was told, and answers with all of it. */
export function exposition(registry: Registry, facts: Facts): Exposition {
  const registers = [registry];
  new Gauge({
    name: 'warmboot_info',
    help: 'The version that runs.',
    labelNames: ['version'],
    registers,
  }).set({ version: facts.version }, 1);
  new Gauge({
    name: 'warmboot_hosts',
    help: 'Hosts by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of facts.census.counts()) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'warmboot_database_bytes',
    help: 'Size of the database file and of its write-ahead log.',
    labelNames: ['file'],
    registers,
    async collect() {
      const { main, wal } = await facts.databaseBytes();
      this.set({ file: 'main' }, main);
      this.set({ file: 'wal' }, wal);
    },
  });
  new Gauge({
    name: 'warmboot_data_free_bytes',
    help: 'What the filesystem of the data folder has left.',
    registers,
    async collect() {
      this.set(await facts.freeBytes());
    },
  });
  new Gauge({
    name: 'warmboot_transfers',
    help: 'Images and disks that are being sent to machines, and hosts that wait for their turn.',
    labelNames: ['state'],
    registers,
    collect() {
      const { active, waiting } = facts.transfers();
      this.set({ state: 'active' }, active);
      this.set({ state: 'waiting' }, waiting);
    },
  });
  new Counter({
    name: 'warmboot_transfers_refused_total',
    help: 'How often a host was told to wait for its turn.',
    registers,
    collect() {
      this.reset();
      this.inc(facts.transfers().refused);
    },
  });
  const all = Registry.merge([registry, processRegistry()]);
  return async () => ({ contentType: all.contentType, text: await all.metrics() });
}
