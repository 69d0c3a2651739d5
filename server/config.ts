import { WarmbootError } from './core/errors.ts';
import { type IpxeUrl, ipxeUrl } from './core/ipxe-values.ts';
import { hostPort, isEveryAddress } from './core/listen-address.ts';
import { parseSelector, type Selector } from './core/selector.ts';

export type Listen = { readonly host: string; readonly port: number };

/** Everything that a running server is told; paths are absolute. */
export type Config = {
  readonly dataDir: string;
  readonly imagesDir: string;
  readonly migrationsDir: string;
  /** The largest build context that a client may send; left out: 4 GiB. */
  readonly maxContextBytes?: number;
  readonly adminListen: Listen;
  /** Null for the server that a command starts for itself: admin plane and builds, no host can reach it. */
  readonly boot: {
    readonly listen: Listen;
    /** Null: TFTP is off. `singlePort`: all transfers from the listening port, not each from its own. */
    readonly tftp: (Listen & { readonly singlePort?: boolean }) | null;
    /** Where network boot programs are looked for, before the folders of the package `ipxe`. */
    readonly nbpFolders: readonly string[];
    /** The server as hosts see it; null: from the address it listens on, which must then be one. */
    readonly url: string | null;
    /** Null: proxyDHCP is off. */
    readonly proxyDhcp: ProxyDhcpSettings | null;
  } | null;
};

/** Whom proxyDHCP serves, and where. */
export type ProxyDhcpSettings = {
  readonly clients: 'all' | 'known';
  /** A label selector as it was written; null: no such limit. */
  readonly labels: string | null;
  /** Names of interfaces; empty for all but loopback. */
  readonly interfaces: readonly string[];
};

/** @throws WarmbootError for a selector that is none */
export function proxyLimits({ clients, labels }: ProxyDhcpSettings): {
  readonly clients: 'all' | 'known';
  readonly selector: Selector | null;
} {
  if (labels === null) return { clients, selector: null };
  const selector = parseSelector(labels);
  if ('refused' in selector)
    throw new WarmbootError(
      'invalid',
      `The label selector of --proxy-dhcp-labels is not one: ${selector.refused}.`,
    );
  return { clients, selector };
}

/** How hosts name this server: as the operator says, or by the address it listens on. */
export function bootUrl(said: string | null, listening: Listen, ownAddresses: readonly string[]): IpxeUrl {
  if (said !== null) {
    const url = ipxeUrl(said);
    if (url) return url;
    throw new WarmbootError(
      'invalid',
      `The boot URL "${said.slice(0, 100)}" is not one that firmware understands. Write http://ADDRESS:PORT without query or password.`,
    );
  }
  const host = isEveryAddress(listening.host) ? (ownAddresses[0] ?? '127.0.0.1') : listening.host;
  const url = ipxeUrl(`http://${hostPort({ host, port: listening.port })}`);
  if (url) return url;
  throw new WarmbootError('invalid', 'Say how hosts reach this server: --boot-url http://ADDRESS:PORT.');
}
