import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How a server that stops lets its answers end. */
export type Drain = {
  /**
   * No more connections are taken, those that have nothing open are closed, and the others after their answers. What is left
   * when `over` aborts is cut.
   * @returns how many answers were cut
   */
  drain(over: AbortSignal): Promise<number>;
  /**
   * Resolves when the answers that are open now have ended, or when `over` aborts. For a plane that goes on to answer.
   * @returns how many have not ended
   */
  quiet(over: AbortSignal): Promise<number>;
};

export function drainable(server: Server): Drain {
  /** Answers that are open on each connection. Node itself takes one that was never used for a busy one. */
  const connections = new Map<Socket, Set<ServerResponse>>();
  let isDraining = false;

  // Below TLS lies a connection that no request ever names.
  server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.set(socket, new Set());
    socket.once('close', () => connections.delete(socket));
  });
  // Before whoever answers: a header can be set until then.
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (isDraining) response.setHeader('connection', 'close');
    connections.get(socket)?.add(response);
    response.once('close', () => {
      const open = connections.get(socket);
      open?.delete(response);
      if (isDraining && open?.size === 0) socket.end();
    });
  });

  const openAnswers = () => [...connections.values()].flatMap((open) => [...open]);

  return {
    async drain(over) {
      isDraining = true;
      for (const answer of openAnswers()) if (!answer.headersSent) answer.setHeader('connection', 'close');
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const [socket, open] of connections) if (open.size === 0) socket.destroy();
      let cut = 0;
      const end = () => {
        cut = openAnswers().length;
        server.closeAllConnections();
        for (const socket of connections.keys()) socket.destroy();
      };
      await Promise.race([closed, abortOf(over).then(end)]);
      await closed;
      return cut;
    },
    async quiet(over) {
      const open = new Set(openAnswers());
      const ended = Promise.all([...open].map((answer) => gone(answer).then(() => open.delete(answer))));
      await Promise.race([ended, abortOf(over)]);
      return open.size;
    },
  };
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** An answer that waits behind another one of its connection is not closed when the connection is. */
function gone(answer: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    answer.once('close', () => resolve());
    answer.req.socket.once('close', () => resolve());
  });
}
