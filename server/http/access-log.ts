import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import type { Logger } from '../core/ports.ts';

/**
 * One line for each request, written when its last byte is out, with the bytes of the body that went out. Headers
 * and bodies are not logged: tokens travel there.
 */
export function accessLog(
  logger: Logger,
  onHostSeen: (path: string) => void,
): MiddlewareHandler<{ Bindings: HttpBindings }> {
  return async (c, next) => {
    const began = performance.now();
    const { incoming, outgoing } = c.env;
    const { socket } = incoming;
    const before = socket.bytesWritten;
    outgoing.once('close', () => {
      const sent = socket.bytesWritten - before;
      const said = Number(outgoing.getHeader('content-length') ?? 0);
      const fields = {
        method: c.req.method,
        path: c.req.path,
        status: outgoing.statusCode,
        // A transfer that broke off sent its headers and less than it said; a stream said nothing, and its framing counts.
        bytes: c.req.method === 'HEAD' ? 0 : outgoing.chunkedEncoding ? sent : Math.min(said, sent),
        ms: Math.round(performance.now() - began),
        client: socket.remoteAddress,
        ...(!outgoing.writableFinished && { broken: true }),
      };
      logger.info(fields, 'request');
    });
    onHostSeen(c.req.path);
    await next();
  };
}
