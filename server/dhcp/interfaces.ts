import type { NetworkInterfaceInfo } from 'node:os';
import { isInSubnet } from '../core/subnet.ts';

/** A network that this machine is in. */
export type UsableInterface = {
  readonly name: string;
  /** The first IPv4 address on it. */
  readonly address: string;
  /** Its network, as `10.0.0.1/24`. */
  readonly cidr: string;
  /** Its own hardware address. */
  readonly mac: string;
};

/**
 * @param all as `os.networkInterfaces()` gives it: what is up and has an address
 * @param wanted names; empty for all but loopback
 */
export function usableInterfaces(
  all: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
  wanted: readonly string[],
): readonly UsableInterface[] {
  return Object.entries(all).flatMap(([name, addresses]) => {
    const first = addresses?.find(({ family }) => family === 'IPv4');
    const isWanted = wanted.length > 0 ? wanted.includes(name) : first?.internal === false;
    if (!first || !isWanted) return [];
    return [{ name, address: first.address, cidr: first.cidr ?? first.address, mac: first.mac }];
  });
}

/** What changed between two looks; an interface with another address is another one. */
export function changes(
  before: readonly UsableInterface[],
  now: readonly UsableInterface[],
): { readonly gone: readonly UsableInterface[]; readonly come: readonly UsableInterface[] } {
  const without = (list: readonly UsableInterface[], others: readonly UsableInterface[]) =>
    list.filter((one) => !others.some(({ name, address }) => name === one.name && address === one.address));
  return { gone: without(before, now), come: without(now, before) };
}

/** The interface whose network a relay is in; where it is in none of ours, the first: the relay routes to it. */
export function interfaceTowards(
  relay: string,
  interfaces: readonly UsableInterface[],
): UsableInterface | undefined {
  return interfaces.find(({ cidr }) => isInSubnet(relay, cidr)) ?? interfaces[0];
}
