import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Fleet } from '../core/fleet-port.ts';
import type { Host } from '../core/host.ts';
import { BEGINNING, type HostRows } from './host-rows.ts';

/** Hosts that are read before others get their turn: a few milliseconds' worth. */
const LOOK = 100;

export function sqliteFleet(rows: Pick<HostRows, 'following'>): Fleet {
  return {
    async look(after, limit, isWanted) {
      await nextTurn();
      const seen = rows.following(after ?? BEGINNING, LOOK);
      const hosts: Host[] = [];
      for (const host of seen) {
        if (!isWanted(host.enrolment)) continue;
        hosts.push(host);
        if (hosts.length === limit) break;
      }
      const last =
        hosts.length === limit ? hosts.at(-1)?.enrolment : seen.length === LOOK && seen.at(-1)?.enrolment;
      return { hosts, next: last ? { createdAt: last.createdAt, id: last.id } : null };
    },
  };
}
