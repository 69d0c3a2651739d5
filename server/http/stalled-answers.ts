import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/**
 * Closes the connection of a client that takes nothing of an answer that waits for it: a machine that hangs, or lost its power,
 * would hold files and memory for ever. An answer that has nothing to send, such as a long poll, may take its time.
 * @param idleMs so long not a byte was taken
 */
export function cutStalledAnswers(server: Server, idleMs: number): void {
  server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
    response.setTimeout(idleMs, () => {
      if (response.writableLength > 0)
        response.destroy(new Error(`the client took nothing for ${Math.round(idleMs / 1000)} s`));
    });
  });
}
