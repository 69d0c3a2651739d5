import { parseMac } from '../core/mac.ts';
import { newest } from '../core/newest.ts';

/** Of which machines' telemetry is kept. */
export const KEPT_MACS = 65_536;

/**
 * When a machine last asked for anything. Telemetry: kept in memory, in no event and no ETag, gone with the server;
 * what a host reported is stored with its own time.
 */
export function lastSeen(clock: () => number) {
  const seen = newest<string, number>(KEPT_MACS);
  return {
    note(path: string): void {
      const mac = parseMac(/^\/boot\/hosts\/([^/]+)\//.exec(path)?.[1] ?? '');
      if (mac) seen.note(mac, clock());
    },
    of: (macs: readonly string[]): number | null =>
      macs.reduce<number | null>((latest, mac) => Math.max(latest ?? 0, seen.of(mac) ?? 0) || latest, null),
  };
}
