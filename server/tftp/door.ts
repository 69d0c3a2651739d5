import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import tftp2 from 'tftp2';

/** Opening UDP sockets: the listening one and those of the transfers. */

export type OnDatagram = (datagram: Buffer, from: RemoteInfo) => void;

/**
 * tftp2's Server for what it is good at: an IPv4 socket that hands every datagram to one method. Its own method parses
 * without a check and opens a socket for each datagram that is never closed, so ours takes its place.
 */
class Door extends tftp2.Server {
  onDatagram: OnDatagram = () => undefined;

  override handleMessage(datagram: Buffer, from: RemoteInfo): this {
    this.onDatagram(datagram, from);
    return this;
  }
}

/** @param host an address, not a name. `::` takes IPv4 in as well. @param port 0 for any free one */
export function openDoor(host: string, port: number, onDatagram: OnDatagram): Promise<Socket> {
  if (isIPv6(host)) return bound(createSocket('udp6').on('message', onDatagram), host, port);
  const door = new Door();
  door.onDatagram = onDatagram;
  return bound(door, host, port);
}

/** A socket on a free port for one transfer, answering from the address that the door listens on. */
export function openTransferSocket(host: string, onDatagram: OnDatagram): Promise<Socket> {
  const type = isIPv6(host) ? 'udp6' : 'udp4';
  const socket = createSocket({
    type,
    // Only addresses are ever sent to: Node's resolver would put off each datagram by a turn of the event loop.
    lookup: (address, _options, done) => done(null, address, type === 'udp6' ? 6 : 4),
  });
  return bound(socket.on('message', onDatagram), host, 0);
}

function bound(socket: Socket, address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ port, address }, () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}
