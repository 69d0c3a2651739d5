import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { HostPlace } from '../core/fleet-port.ts';
import type { Exposition, Meters } from '../core/meters-port.ts';
import type { Store } from '../core/ports.ts';
import type { TransfersNow } from '../core/status.ts';
import { Census } from '../metrics/census.ts';
import { exposition, newRegistry } from '../metrics/exposition.ts';
import { meteredStore } from '../metrics/metered-store.ts';
import { createMeters } from '../metrics/meters.ts';

/** Hosts that are looked at together; the store may take fewer. */
const AT_ONCE = 1_000;

export type Metering = {
  readonly meters: Meters;
  readonly metrics: Exposition;
  readonly census: Census;
  /** Counts the hosts that there are, and from then on what changes. */
  over(store: Store): Promise<Store>;
};

export function metering(dataDir: string, version: string, transfers: () => TransfersNow): Metering {
  const registry = newRegistry();
  const census = new Census();
  const meters = createMeters(registry);
  const metrics = exposition(registry, {
    version,
    census,
    transfers,
    freeBytes: () => freeBytes(dataDir),
    databaseBytes: async () => ({
      main: await sizeOf(path.join(dataDir, 'warmboot.db')),
      wal: await sizeOf(path.join(dataDir, 'warmboot.db-wal')),
    }),
  });
  return {
    meters,
    metrics,
    census,
    async over(store) {
      for (let place: HostPlace | null = null; ; ) {
        const { hosts, next } = await store.fleet.look(place, AT_ONCE, () => true);
        for (const host of hosts) census.set(host);
        if (next === null) break;
        place = next;
      }
      return meteredStore(store, census, meters);
    },
  };
}

/** What a program that is not root may still write there. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
