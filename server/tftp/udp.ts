import type { Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import tftp2 from 'tftp2';
import { bindSocket, openSocket } from '../udp/socket.ts';

/** An address (not a name) and a port. */
export type Peer = { readonly address: string; readonly port: number };

/** A bound UDP port. */
export type UdpPort = {
  readonly port: number;
  /** Sends it or loses it, as a network may (no route, buffer full): whoever waits for an answer has a timer. */
  send(datagram: Buffer, to: Peer): void;
  /** Whether it still has its port: the kernel may take it away (`ss -K`), and nobody is told of that. */
  isBound(): boolean;
  /** Resolves when the port is free again; what was sent before still goes out. */
  close(): Promise<void>;
};

export type OnDatagram = (datagram: Buffer, from: Peer) => void;

/** Where ports come from: the machine's network, or one that a test plays. */
export type Network = {
  /** @param host `::` takes IPv4 in as well. @param port 0 for any free one. @throws EACCES, EADDRINUSE, … */
  openDoor(host: string, port: number, onDatagram: OnDatagram): Promise<UdpPort>;
  /** A free port for one transfer, answering from the address that the door listens on. */
  openTransferPort(host: string, onDatagram: OnDatagram): Promise<UdpPort>;
};

export const UDP: Network = { openDoor, openTransferPort };

/**
 * tftp2's Server for what it is good at: an IPv4 socket that hands every datagram to one method. Its own method parses
 * without a check and opens a socket for each datagram that is never closed, so ours takes its place.
 */
class Door extends tftp2.Server {
  onDatagram: OnDatagram = () => undefined;

  override handleMessage(datagram: Buffer, from: Peer): this {
    this.onDatagram(datagram, from);
    return this;
  }
}

function openDoor(host: string, port: number, onDatagram: OnDatagram): Promise<UdpPort> {
  if (isIPv6(host)) return bound(listening(host, onDatagram), host, port);
  const door = new Door();
  door.onDatagram = onDatagram;
  return bound(door, host, port);
}

function openTransferPort(host: string, onDatagram: OnDatagram): Promise<UdpPort> {
  return bound(listening(host, onDatagram), host, 0);
}

function listening(host: string, onDatagram: OnDatagram): Socket {
  return openSocket(isIPv6(host) ? 'udp6' : 'udp4').on('message', onDatagram);
}

async function bound(socket: Socket, address: string, port: number): Promise<UdpPort> {
  await bindSocket(socket, address, port);
  const { port: had } = socket.address();
  return {
    port: had,
    isBound: () => {
      try {
        return socket.address().port === had;
      } catch {
        return false;
      }
    },
    // Without a callback Node drops the error of a failed send, and does without a turn of the event loop.
    send: (datagram, to) => socket.send(datagram, to.port, to.address),
    close: () =>
      new Promise((resolve) => {
        // The door's socket looks addresses up, and so sends in the next turn.
        setImmediate(() => socket.close(() => resolve()));
      }),
  };
}
