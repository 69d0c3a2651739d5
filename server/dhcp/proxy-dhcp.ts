import { type Incoming, type Outgoing, type ProxyDhcpConfig, proxyHandler } from './handler.ts';
import { type ServedNetworks, serveNetworks } from './served-networks.ts';
import { closed, DHCP_PORTS, type DhcpPorts, openServerDoor } from './sockets.ts';

export type ProxyDhcpOptions = Omit<ProxyDhcpConfig, 'clock'> & {
  /** Names; empty for all but loopback. */
  readonly interfaces: readonly string[];
  /** Others than the field's only in tests. */
  readonly ports?: DhcpPorts;
};

export type ProxyDhcpService = {
  /** Names of the interfaces that it answers on now. */
  interfaces(): readonly string[];
  /** Whether it answers relays too: no other DHCP server was on this machine at the start. */
  readonly takesRelayed: boolean;
  close(): Promise<void>;
};

/**
 * Tells machines what to boot, beside the DHCP server that gives them their addresses (PXE 2.1, 2.2.3 and 2.2.4).
 * @throws WarmbootError when a port cannot be had
 */
export async function startProxyDhcp({
  interfaces,
  ports = DHCP_PORTS,
  ...config
}: ProxyDhcpOptions): Promise<ProxyDhcpService> {
  const { logger } = config;
  let networks: ServedNetworks | null = null;
  let take: (incoming: Incoming) => void = () => undefined;
  const door = await openServerDoor(ports, (datagram, from) => take({ datagram, from, at: null }));
  door.socket.on('error', ({ message }) => logger.warn({ error: message }, 'DHCP socket error'));
  if (!door.takesRelayed)
    logger.info(
      { port: ports.server },
      'another DHCP server is on this machine: proxyDHCP shares its port, and leaves what comes by relays to it',
    );
  const failed = (error: Error | null) => {
    // A failed send (no route, buffer full) is a lost packet, and clients ask again.
    if (error) logger.debug({ error: error.message }, 'DHCP answer not sent');
  };
  const send = (outgoing: Outgoing) => {
    switch (outgoing.to) {
      case 'broadcast':
        networks?.of(outgoing.on)?.broadcaster.send(outgoing.datagram, failed);
        break;
      case 'relay':
        door.socket.send(outgoing.datagram, ports.server, outgoing.address, failed);
        break;
      case 'direct':
        networks
          ?.of(outgoing.on)
          ?.bootServer.send(outgoing.datagram, outgoing.port, outgoing.address, failed);
        break;
      default:
        outgoing satisfies never;
    }
  };
  const handler = proxyHandler(
    { ...config, clock: () => performance.now() },
    {
      interfaces: () => networks?.all().map(({ at }) => at) ?? [],
      takesRelayed: door.takesRelayed,
      send,
    },
  );
  const served = await serveNetworks({
    wanted: interfaces,
    ports,
    logger,
    onDatagram: (incoming) => take(incoming),
  }).catch(async (error: unknown) => {
    await closed(door.socket);
    throw error;
  });
  networks = served;
  take = handler;
  return {
    interfaces: () => served.all().map(({ at }) => at.name),
    takesRelayed: door.takesRelayed,
    close: async () => {
      // What still waits for the store finds nothing to send to.
      take = () => undefined;
      networks = null;
      await closed(door.socket);
      await served.close();
    },
  };
}
