import { type OpenedChannel, openChannel } from './channel.ts';
import type { Peer, UdpPort } from './udp.ts';

/**
 * Single-port mode: every transfer answers from the listening port, so that it passes NAT, firewalls and port mappings of
 * containers that know one port only. What comes in is told apart by the client's address and port, by the server.
 */
export function sharedPortChannel(door: UdpPort, client: Peer): OpenedChannel {
  return openChannel(
    (datagram) => door.send(datagram, client),
    async () => {},
  );
}
