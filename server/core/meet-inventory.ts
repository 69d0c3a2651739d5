import { mayMove, requireMove } from './enrolment-moves.ts';
import type { Enrolment, Host } from './host.ts';
import { type Inventory, macsOf } from './inventory.ts';
import type { Mac } from './mac.ts';

/** A host that has one of the MACs that an inventory names, with what it said of itself before. */
export type Holder = { readonly host: Host; readonly facts: Inventory | null };

/** What an inventory means for the hosts that are known. */
export type Meeting = {
  /** The host that has said it; null: it is a new one. */
  readonly home: Host | null;
  /** The MACs that the home has from now on. */
  readonly macs: readonly Mac[];
  /** Machines that waited and are seen to be the home: their records go. */
  readonly absorbed: readonly Host[];
  /** Hosts that have a MAC of it and stay apart, each with the reason. */
  readonly refused: readonly { readonly host: Host; readonly reason: string }[];
};

/** Whether a host is one that no operator has approved. */
export function isWaiting({ status }: Pick<Enrolment, 'status'>): boolean {
  return status === 'discovered' || status === 'ignored';
}

/**
 * Several cards, one host. Records are joined only when one inventory names the MACs of both, nothing contradicts, and none of
 * them was approved: an approved host gets and loses no MAC by what anybody says. SMBIOS UUIDs repeat in the field, so they
 * join nothing; but two that differ do contradict.
 */
export function meetInventory(mac: Mac, facts: Inventory, holders: readonly Holder[]): Meeting {
  const named = macsOf(mac, facts);
  const own = holders.find(({ host }) => host.enrolment.macs.includes(mac))?.host ?? null;
  const others = holders.filter(({ host }) => host !== own);
  const judged = others.map((holder) => ({ holder, reason: objection(holder, facts, named) }));
  const refused = judged.flatMap(({ holder, reason }) =>
    reason === null ? [] : [{ host: holder.host, reason }],
  );
  if (own && !isWaiting(own.enrolment)) {
    const apart = judged.map(({ holder, reason }) => ({
      host: holder.host,
      reason: reason ?? 'an approved host takes no MAC from an inventory',
    }));
    return { home: own, macs: own.enrolment.macs, absorbed: [], refused: apart };
  }
  const joined = judged
    .flatMap(({ holder, reason }) => (reason === null ? [holder.host] : []))
    .sort((one, other) => one.enrolment.createdAt - other.enrolment.createdAt);
  const home = own ?? joined[0] ?? null;
  const taken = new Set(refused.flatMap(({ host }) => host.enrolment.macs));
  const free = named.filter((each) => !taken.has(each));
  // The first MAC is the host's name: it stays while the machine has that card.
  const name = home?.enrolment.macs.find((each) => free.includes(each)) ?? mac;
  return {
    home,
    macs: [name, ...free.filter((each) => each !== name)],
    absorbed: joined.filter((host) => host !== home),
    refused,
  };
}

/**
 * A board or a card was replaced: an operator says that a machine which waits is a host that is known. The host has its MACs from then
 * on, behind its own, the first of which is its name.
 * @throws WarmbootError `conflict` for a machine that does not wait, or a host that does not take part
 */
export function gain(host: Host, waiting: Host): Host {
  requireMove(waiting.enrolment, 'join');
  requireMove(host.enrolment, 'gain');
  const macs = [...host.enrolment.macs, ...waiting.enrolment.macs];
  return { ...host, enrolment: { ...host.enrolment, macs } };
}

/** Why a host stays apart from a machine that names one of its MACs; null when it is the same machine. */
function objection({ host, facts }: Holder, said: Inventory, named: readonly Mac[]): string | null {
  const { macs } = host.enrolment;
  const shared = macs.find((mac) => named.includes(mac)) ?? macs[0];
  if (!mayMove(host.enrolment, 'merge'))
    return `${shared} belongs to a host that is ${host.enrolment.status}`;
  const missing = macs.find((mac) => !named.includes(mac));
  if (missing !== undefined)
    return `${shared} was seen in a machine that has ${missing} too, which this one has not`;
  const difference = facts && contradiction(facts, said);
  return difference ? `${shared} was seen in a machine of another ${difference}` : null;
}

/** What speaks against two inventories being of one machine, as `serial (A, now B)`; null: nothing does. */
export function contradiction(before: Inventory, said: Inventory): string | null {
  const pairs: [string, string | null, string | null][] = [
    ['serial', before.system.serial, said.system.serial],
    ['board serial', before.board.serial, said.board.serial],
    ['UUID', before.system.uuid, said.system.uuid],
    ['vendor', before.system.vendor, said.system.vendor],
    ['product', before.system.product, said.system.product],
    ['architecture', before.architecture, said.architecture],
  ];
  const found = pairs.find(([, one, other]) => one !== null && other !== null && one !== other);
  return found ? `${found[0]} (${found[1]}, now ${found[2]})` : null;
}
