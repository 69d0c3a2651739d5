import { isIPv6 } from 'node:net';
import type { Logger as Pino } from 'pino';
import { type Config, type Listen, type ProxyDhcpSettings, proxyLimits } from '../config.ts';
import type { DhcpMeters } from '../core/meters-port.ts';
import type { Store } from '../core/ports.ts';
import { type ProxyDhcpService, startProxyDhcp } from '../dhcp/proxy-dhcp.ts';
import type { RunningNote } from './running-note.ts';

/** The port that firmware asks for its boot program; there is no way to tell it another one. */
const TFTP_PORT = 69;

/** Starts proxyDHCP, where it is wanted. @param closers gets what closes it */
export async function startProxy(
  { proxyDhcp }: NonNullable<Config['boot']>,
  { url, tftp }: { readonly url: string; readonly tftp: Listen | null },
  store: Pick<Store, 'host' | 'settled'>,
  logger: Pino,
  meters: DhcpMeters,
  closers: (() => unknown)[],
): Promise<ProxyDhcpService | null> {
  if (!proxyDhcp) return null;
  if (tftp && tftp.port !== TFTP_PORT)
    logger.warn({ port: tftp.port }, `firmware asks TFTP port ${TFTP_PORT}, and TFTP listens on another one`);
  const service = await startProxyDhcp({
    limits: proxyLimits(proxyDhcp),
    interfaces: proxyDhcp.interfaces,
    bootUrl: url,
    // `::` takes IPv4 in as well; DHCP cannot name any other IPv6 address.
    tftpHost: tftp && (!isIPv6(tftp.host) || tftp.host === '::') ? tftp.host : null,
    logger,
    meters,
    knownHost: async (mac) => {
      const host = await store.host({ mac });
      await store.settled();
      return host && { status: host.enrolment.status, labels: host.enrolment.labels };
    },
  });
  closers.push(service.close);
  return service;
}

/** What a running server says about it to `doctor`. */
export function proxyNote({ clients, labels, interfaces }: ProxyDhcpSettings): RunningNote['proxyDhcp'] {
  return { wanted: interfaces, isLimited: clients === 'known' || labels !== null };
}
