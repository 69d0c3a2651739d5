import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import type { Logger } from '../core/ports.ts';

/**
 * One line for each request, written when its last byte is out, with the bytes of the body that went out; a warning that says
 * why when they are less than was promised. The last few MB are out when the kernel has them: a connection that is reset before
 * the client asks for something else gets a second line, for nobody knows that they arrived (some firmware ends every
 * connection so: it is no warning). Headers and bodies are not logged: tokens travel there.
 */
export function accessLog(
  logger: Logger,
  onHostSeen: (path: string) => void,
): MiddlewareHandler<{ Bindings: HttpBindings }> {
  /** How to call off the watch over what was sent last on a connection. */
  const watches = new WeakMap<Socket, () => void>();

  return async (c, next) => {
    const began = performance.now();
    const { incoming, outgoing } = c.env;
    const { socket } = incoming;
    // Node keeps the headers of an answer, its length among them, only where one was set before the others came all at once.
    outgoing.setHeader('server', 'Warmboot');
    watches.get(socket)?.();
    // One that waits behind another answer of its connection has not begun.
    let before = outgoing.socket ? socket.bytesWritten : null;
    outgoing.once('socket', () => {
      before = socket.bytesWritten;
    });
    const { method, path } = c.req;
    const client = socket.remoteAddress;

    let isWhole = false;
    // `writableFinished` tells of the socket alone, and is true of an answer that was cut.
    outgoing.once('finish', () => {
      isWhole = true;
    });
    let isLogged = false;
    const onClose = () => {
      if (isLogged) return;
      isLogged = true;
      socket.off('close', onClose);
      const sent = before === null ? 0 : socket.bytesWritten - before;
      const said = Number(outgoing.getHeader('content-length') ?? 0);
      const fields = {
        method,
        path,
        status: outgoing.statusCode,
        // A transfer that broke off sent its headers and less than it said; a stream said nothing, and its framing counts.
        bytes: method === 'HEAD' ? 0 : outgoing.chunkedEncoding ? sent : Math.min(said, sent),
        ms: Math.round(performance.now() - began),
        client,
      };
      if (!isWhole || outgoing.errored)
        return logger.warn(
          { ...fields, broken: true, why: whyBroken(outgoing as ServerResponse, socket) },
          'request',
        );
      logger.info(fields, 'request');
      watchArrival(fields);
    };
    // That one is not closed when its connection is.
    outgoing.once('close', onClose);
    socket.once('close', onClose);
    onHostSeen(path);
    await next();

    function watchArrival(fields: object): void {
      const onEnd = (hadError: boolean) => {
        watches.delete(socket);
        if (!hadError) return;
        const why = whyBroken(outgoing as ServerResponse, socket);
        logger.info({ ...fields, why }, 'not known to have arrived');
      };
      socket.once('close', onEnd);
      watches.set(socket, () => {
        watches.delete(socket);
        socket.off('close', onEnd);
      });
    }
  };
}

const SOCKET_ERRORS: Readonly<Record<string, string>> = {
  ECONNRESET: 'the client reset the connection',
  EPIPE: 'the client reset the connection',
  ETIMEDOUT: 'the client does not answer any more',
};

function whyBroken(outgoing: ServerResponse, socket: Socket): string {
  const own = outgoing.errored ?? socket.errored;
  if (own) return SOCKET_ERRORS[(own as NodeJS.ErrnoException).code ?? ''] ?? own.message;
  return socket.readableEnded ? 'the client closed the connection' : 'the connection was closed here';
}
