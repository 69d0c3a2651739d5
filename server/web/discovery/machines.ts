import { nextSchema } from '../../contract/discovery.ts';
import { type HostView, hostDetailSchema, hostListSchema } from '../../contract/hosts.ts';
import type { InventoryView } from '../../contract/inventory.ts';
import { type Api, at, type Told } from '../api.ts';

/** Machines that nobody has approved, with what they say of themselves. */

export type Machine = {
  readonly host: HostView;
  /** Null: it has not said what it is. */
  readonly inventory: InventoryView | null;
  /** What the rules make of it, in words; null: that is not known. */
  readonly ruling: string | null;
};

/** Each is asked for by itself: a rack that is switched on fits on a page. */
export const MACHINES_SHOWN = 25;

export async function machinesIn(
  api: Api,
  state: 'discovered' | 'ignored',
  cursor: string,
): Promise<Told<{ readonly machines: readonly Machine[]; readonly next: string | null }>> {
  const told = await api.get('/api/v1/hosts', hostListSchema, { state, cursor, limit: MACHINES_SHOWN });
  if (!told.ok) return told;
  const found = await Promise.all(told.value.hosts.map(({ mac }) => machineOf(api, mac)));
  // One that went meanwhile is not shown.
  const machines = found.flatMap((machine) => (machine.ok ? [machine.value] : []));
  return { ...told, value: { machines, next: told.value.next } };
}

export async function machineOf(api: Api, mac: string): Promise<Told<Machine>> {
  const [host, next] = await Promise.all([
    api.get(at`/api/v1/hosts/${mac}`, hostDetailSchema),
    api.get(at`/api/v1/hosts/${mac}/next`, nextSchema),
  ]);
  if (!host.ok) return host;
  const { inventory = null, ...rest } = host.value;
  const ruling = next.ok ? (next.value.discovery?.reason ?? null) : null;
  return { ...host, value: { host: rest, inventory, ruling } };
}
