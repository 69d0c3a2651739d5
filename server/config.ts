import { WarmbootError } from './core/errors.ts';
import { type IpxeUrl, ipxeUrl } from './core/ipxe-values.ts';
import { hostPort, isEveryAddress } from './core/listen-address.ts';
import { parseSelector, type Selector } from './core/selector.ts';
import type { TransferLimits } from './core/transfer-limits.ts';

export type Listen = { readonly host: string; readonly port: number };

/** An operator's own certificate, with its chain, and its key; PEM. */
export type TlsFiles = { readonly certFile: string; readonly keyFile: string };

/** Everything that a running server is told; paths are absolute. */
export type Config = {
  readonly dataDir: string;
  readonly imagesDir: string;
  readonly migrationsDir: string;
  /** Of this program; left out: unknown. */
  readonly version?: string;
  /** How long running transfers may take to end when the server stops; left out: 3 s. */
  readonly stopTimeoutMs?: number;
  /** Metrics and probes for whoever asks there, without token; null or left out: off. */
  readonly metricsListen?: Listen | null;
  /** The largest build context that a client may send; left out: 4 GiB. */
  readonly maxContextBytes?: number;
  readonly adminListen: Listen;
  /** How much of the event log is kept (null: all), and whether webhooks may ask link-local addresses. Left out: all, no. */
  readonly events?: {
    readonly days: number | null;
    readonly count: number | null;
    readonly webhookLinkLocal: boolean;
  };
  /** Left out: the admin plane speaks HTTP. `files` null: with a certificate that is made. */
  readonly adminTls?: { readonly files: TlsFiles | null };
  /** Null for the server that a command starts for itself: admin plane and builds, no host can reach it. */
  readonly boot: {
    readonly listen: Listen;
    /** Null: TFTP is off. `singlePort`: all transfers from the listening port, not each from its own. */
    readonly tftp: (Listen & { readonly singlePort?: boolean }) | null;
    /** Where network boot programs are looked for, before the folders of the package `ipxe`. */
    readonly nbpFolders: readonly string[];
    /** The server as hosts see it; null: from the address it listens on, which must then be one. */
    readonly url: string | null;
    /** For machines that do not come back from a jump; left out or null: none. */
    readonly powerHook?: PowerHookSettings | null;
    /** Left out: hosts speak plain HTTP to the boot plane. */
    readonly agent?: AgentTls;
    /** Of what machines are sent; left out: none. */
    readonly limits?: TransferLimits;
    /** Null: proxyDHCP is off. */
    readonly proxyDhcp: ProxyDhcpSettings | null;
  } | null;
};

/** The operator's command that cycles a machine's power. */
export type PowerHookSettings = {
  /** An absolute path. */
  readonly file: string;
  readonly timeoutMs: number;
  readonly atOnce: number;
};

/** TLS for hosts: installers and agents. */
export type AgentTls = {
  readonly listen: Listen;
  /** As hosts see it, `https://…`; null: the boot URL's host with the port listened on. */
  readonly url: string | null;
  /** Whether hosts whose agent is too old for it may go on by plain HTTP. */
  readonly allowsPlain: boolean;
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

/** How hosts name the server that they speak TLS to. */
export function agentUrl(said: string | null, port: number, boot: string): string {
  return said ?? `https://${new URL(boot).hostname}:${port}`;
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
