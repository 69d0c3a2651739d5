import { parseMac } from '../core/mac.ts';

const KEPT_MACS = 65_536;

/**
 * When a machine last asked for anything. Telemetry: kept in memory, in no event and no ETag, gone with the server;
 * what a host reported is stored with its own time.
 */
export function lastSeen(clock: () => number) {
  const seen = new Map<string, number>();
  return {
    note(path: string): void {
      const mac = parseMac(/^\/boot\/hosts\/([^/]+)\//.exec(path)?.[1] ?? '');
      if (!mac) return;
      // The latest comes last, so that a stranger who makes up addresses only pushes out what is oldest.
      seen.delete(mac);
      seen.set(mac, clock());
      const [oldest] = seen.keys();
      if (seen.size > KEPT_MACS && oldest !== undefined) seen.delete(oldest);
    },
    of: (macs: readonly string[]): number | null =>
      macs.reduce<number | null>((latest, mac) => Math.max(latest ?? 0, seen.get(mac) ?? 0) || latest, null),
  };
}
