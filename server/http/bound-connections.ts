import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { sourceOf } from '../core/source-address.ts';

type Guest = {
  readonly socket: Socket;
  /** The request that is being answered on it. */
  request: IncomingMessage | null;
};

/**
 * Bounds the connections that are open at once. When one comes too many, another makes room: the one that has been silent
 * for longest, or sends its request for longest, of whoever holds most. So who opens thousands and says nothing loses them to
 * those who ask and go; what is being answered is never cut. Where everything is being answered, the new one has to come again.
 * @param max connections
 */
export function boundConnections(server: Server, max: number): void {
  // Of each source the one that has been idle for longest comes first.
  const sources = new Map<string, Map<string, Guest>>();
  let count = 0;

  server.on('connection', (socket: Socket) => {
    const source = sourceOf(socket.remoteAddress ?? 'unknown');
    const key = keyOf(socket);
    const guests = sources.get(source) ?? new Map<string, Guest>();
    sources.set(source, guests);
    guests.set(key, { socket, request: null });
    count += 1;
    socket.once('close', () => {
      count -= 1;
      guests.delete(key);
      if (guests.size === 0 && sources.get(source) === guests) sources.delete(source);
    });
    if (count > max) (oldestOfLargest(key) ?? socket).destroy();
  });

  // With TLS the socket of a request is another object over the same connection: they have the ports in common.
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const guests = sources.get(sourceOf(request.socket.remoteAddress ?? 'unknown'));
    const key = keyOf(request.socket);
    const guest = guests?.get(key);
    if (!guests || !guest) return;
    guest.request = request;
    response.once('close', () => {
      if (guest.request !== request) return;
      guest.request = null;
      if (guests.get(key) !== guest) return;
      guests.delete(key);
      guests.set(key, guest);
    });
  });

  /** @param but the one that has just come: whoever is at the door has not been silent yet */
  function oldestOfLargest(but: string): Socket | null {
    const largestFirst = [...sources.values()].toSorted((one, other) => other.size - one.size);
    for (const guests of largestFirst)
      for (const [key, { socket, request }] of guests)
        if (key !== but && !socket.destroyed && (request === null || !request.complete)) return socket;
    return null;
  }
}

function keyOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}
