import { nbpFor } from '../core/client-architecture.ts';
import type { EnrolmentStatus } from '../core/host.ts';
import { matchesSelector, type Selector } from '../core/selector.ts';
import type { NetbootClient } from './netboot-client.ts';
import { MESSAGE } from './option-codes.ts';
import { type DhcpPacket, messageType } from './packet.ts';

/** Whom the proxy serves. */
export type ProxyLimits = {
  /** `known`: hosts that an operator has enrolled or approved. */
  readonly clients: 'all' | 'known';
  /** Known hosts whose labels it selects; null: no such limit. */
  readonly selector: Selector | null;
};

/** The host that a client's MAC belongs to, as far as the limits look at it. */
export type KnownHost = {
  readonly status: EnrolmentStatus;
  readonly labels: Readonly<Record<string, string>>;
};

/** Port 67 is where all DHCP clients ask; port 4011 is where PXE firmware asks a boot server (PXE 2.1, 2.2.4). */
export type Door = 'dhcp' | 'boot-server';

/** What is to be sent, before it is known from which interface. */
export type BootOffer = {
  readonly kind: 'offer' | 'ack';
  readonly client: NetbootClient;
  /** In words, for the log. */
  readonly firmware: string;
  readonly file: BootFile;
};

/** An NBP by its name or as a URL, or iPXE's entry script, which is a URL too. */
export type BootFile = { readonly by: 'tftp' | 'http'; readonly name: string } | { readonly by: 'script' };

/** Why nothing is sent, for the log: `info` where the operator wants it so, `warn` where the machine will not boot. */
export type NoOffer = { readonly kind: 'none'; readonly reason: string; readonly level: 'info' | 'warn' };

/**
 * What kind of answer a packet wants: an OFFER without an address to a DISCOVER, beside that of the network's DHCP server; an
 * ACK to a boot server request. Null: none, since the addresses of the network are not ours to give.
 */
export function wantedAnswer(packet: DhcpPacket, door: Door): 'offer' | 'ack' | null {
  if (packet.op !== 'request') return null;
  const type = messageType(packet);
  if (door === 'dhcp') return type === MESSAGE.discover ? 'offer' : null;
  return type === MESSAGE.request || type === MESSAGE.inform ? 'ack' : null;
}

export function decide(
  client: NetbootClient,
  kind: 'offer' | 'ack',
  host: KnownHost | null,
  limits: ProxyLimits,
): BootOffer | NoOffer {
  const unserved = unservedBecause(host, limits);
  if (unserved !== null) return { kind: 'none', reason: unserved, level: 'info' };
  if (client.kind === 'ipxe') return { kind, client, firmware: 'iPXE', file: { by: 'script' } };
  const choices = client.architectures.map(nbpFor);
  const choice = choices.find((each) => 'name' in each) ?? choices[0];
  if (!choice || 'refused' in choice)
    return { kind: 'none', reason: choice?.refused ?? 'no architecture', level: 'warn' };
  const { name, firmware } = choice;
  // How it loads is told by its vendor class, whatever the architecture's own number for HTTP says.
  return { kind, client, firmware, file: { by: client.kind === 'http' ? 'http' : 'tftp', name } };
}

/** Whether a decision needs to know the host. */
export function isLimited({ clients, selector }: ProxyLimits): boolean {
  return clients === 'known' || selector !== null;
}

function unservedBecause(host: KnownHost | null, limits: ProxyLimits): string | null {
  if (!isLimited(limits)) return null;
  if (host === null)
    return 'this machine is not enrolled, and only known ones are served (--proxy-dhcp known)';
  if (host.status === 'discovered') return 'this host waits for approval, and only known ones are served';
  if (host.status === 'ignored') return 'this host is ignored, and only known ones are served';
  if (host.status === 'retired') return 'this host is retired, and only known ones are served';
  if (limits.selector && !matchesSelector(limits.selector, host.labels))
    return 'the labels of this host are not those that are served (--proxy-dhcp-labels)';
  return null;
}
