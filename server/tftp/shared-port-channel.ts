import type { OpenedChannel } from './channel.ts';
import type { Peer, UdpPort } from './udp.ts';

/**
 * Single-port mode: every transfer answers from the listening port, so that it passes NAT, firewalls and port mappings of
 * containers that know one port only. What comes in is told apart by the client's address and port, by the server.
 */
export function sharedPortChannel(door: UdpPort, client: Peer): OpenedChannel {
  let open = true;
  let onClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  return {
    closed,
    channel: {
      send: (datagram) => {
        if (open) door.send(datagram, client);
      },
      close: (last) => {
        if (!open) return;
        open = false;
        if (last) door.send(last, client);
        onClosed();
      },
    },
  };
}
