import { createSocket, type Socket } from 'node:dgram';

/** UDP sockets as a server wants them, whatever it speaks over them. */

/** @param isShared whether others may have the same address and port */
export function openSocket(type: 'udp4' | 'udp6', isShared = false): Socket {
  return createSocket({
    type,
    reuseAddr: isShared,
    // Only addresses are ever sent to: Node's resolver would put off each datagram by a turn of the event loop.
    lookup: (address, _options, done) => done(null, address, type === 'udp6' ? 6 : 4),
  });
}

/**
 * @param port 0 for any free one
 * @throws EACCES, EADDRINUSE, …; the socket is closed then
 */
export function bindSocket(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => {
      // Later ones are about a datagram, or an interface that went: never the end of the program. Who wants to know listens too.
      socket.removeAllListeners('error').on('error', () => undefined);
      resolve();
    });
  });
}
