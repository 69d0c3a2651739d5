import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Of a body that nobody wants, after its answer: a client that is soon done keeps its connection. */
const MOST_BYTES = 16 * 1024 * 1024;
const LOOK_MS = 10;

/**
 * Closes the connection of a client that goes on to send what was refused. Node reads such a body to throw it away, so that the client comes to
 * read its answer instead of an error (RFC 9112, 9.6); hono's adapter gives it half a second, in which a fast line carries a GiB.
 */
export function cutUnreadBodies(server: Server): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    response.once('finish', () => {
      if (request.complete) return;
      const { socket } = request;
      const before = socket.bytesRead;
      const end = () => {
        clearInterval(look);
        socket.off('close', end);
      };
      const look = setInterval(() => {
        if (!request.complete && socket.bytesRead - before > MOST_BYTES) socket.destroySoon();
        if (request.complete || socket.destroyed) end();
      }, LOOK_MS).unref();
      socket.once('close', end);
    });
  });
}
