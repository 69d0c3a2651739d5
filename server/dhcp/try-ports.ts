import type { PortRefusal } from './port-refusal.ts';
import { BROADCAST, bound, closed, DHCP_PORTS } from './sockets.ts';

/** Tries to listen where proxyDHCP would, for a moment. @returns the first refusal, or null */
export async function tryProxyPorts(addresses: readonly string[]): Promise<PortRefusal | null> {
  const { server, bootServer } = DHCP_PORTS;
  const wanted = [
    { port: server, address: BROADCAST, isShared: true },
    ...addresses.flatMap((address) => [
      { port: server, address, isShared: true },
      { port: bootServer, address, isShared: false },
    ]),
  ];
  for (const each of wanted) {
    const refusal = await bound(each).then(
      (socket) => closed(socket).then(() => null),
      ({ code, message }: NodeJS.ErrnoException) => ({ port: each.port, code: code ?? message }),
    );
    if (refusal) return refusal;
  }
  return null;
}
