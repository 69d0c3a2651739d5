import type { IncomingMessage, Server } from 'node:http';

/**
 * Closes the connection of a client that falls silent in the middle of a request's body. Only the body counts: an answer
 * may take its time, and so may we; what lies here unread is our delay, not the client's.
 * @param idleMs so long nothing may come; it is noticed within twice that
 */
export function cutSilentBodies(server: Server, idleMs: number): void {
  server.on('request', (request: IncomingMessage) => {
    let seen = request.socket.bytesRead;
    const look = setInterval(() => {
      if (request.complete) return clearInterval(look);
      const { bytesRead } = request.socket;
      if (bytesRead === seen && request.readableLength === 0) request.socket.destroy();
      seen = bytesRead;
    }, idleMs).unref();
    request.once('close', () => clearInterval(look));
  });
}
