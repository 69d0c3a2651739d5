import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';
import type { HttpMeters, OpenKind } from '../core/meters-port.ts';
import type { Logger } from '../core/ports.ts';
import { requestIdOf } from './request-id.ts';
import { routeLabel } from './route-label.ts';

/** Of which plane, and who else wants to know. */
export type Accounts = {
  readonly plane: 'boot' | 'admin';
  readonly meters?: HttpMeters;
  /** Told at the beginning of each request. */
  readonly onSeen?: (path: string) => void;
};

/** What asks every few seconds and has nothing to tell. */
const PROBES = new Set(['/healthz', '/readyz', '/metrics']);

/**
 * One line for each request, written when its last byte is out, with the bytes of the body that went out; a warning that says
 * why when they are less than was promised. The last few MB are out when the kernel has them: a connection that is reset before
 * the client asks for something else gets a second line, for nobody knows that they arrived (some firmware ends every
 * connection so: it is no warning). Headers, queries and bodies are not logged: tokens travel there. Probes, and manifests that
 * are not new, are told at the level debug.
 */
export function accessLog(
  logger: Logger,
  { plane, meters, onSeen }: Accounts,
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
    const id = requestIdOf(c);
    const route = routeLabel(c);
    const kind = openKind(c);
    const closeOpen = meters?.opened(plane, kind);

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
      closeOpen?.();
      const sent = before === null ? 0 : socket.bytesWritten - before;
      const said = Number(outgoing.getHeader('content-length') ?? 0);
      const fields = {
        id,
        method,
        path,
        status: outgoing.statusCode,
        // A transfer that broke off sent its headers and less than it said; a stream said nothing, and its framing counts.
        bytes: method === 'HEAD' ? 0 : outgoing.chunkedEncoding ? sent : Math.min(said, sent),
        ms: Math.round(performance.now() - began),
        client,
      };
      const isBroken = !isWhole || Boolean(outgoing.errored);
      const { status, bytes } = fields;
      const seconds = (performance.now() - began) / 1000;
      const isWaiting = kind !== 'transfer';
      meters?.answered({ plane, route, status, bytes, seconds, isBroken, isWaiting });
      if (isBroken)
        return logger.warn(
          { ...fields, broken: true, why: whyBroken(outgoing as ServerResponse, socket) },
          'request',
        );
      const isNews = !PROBES.has(path) && !(status === 304 && path.endsWith('/manifest'));
      logger[isNews ? 'info' : 'debug'](fields, 'request');
      watchArrival(fields);
    };
    // That one is not closed when its connection is.
    outgoing.once('close', onClose);
    socket.once('close', onClose);
    onSeen?.(path);
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

/** What never ends by itself, or not before its time. */
function openKind({ req }: Context): OpenKind {
  if (req.header('accept')?.includes('text/event-stream') || req.path.endsWith('/log')) return 'event-stream';
  return req.query('wait') !== undefined && req.header('if-none-match') !== undefined
    ? 'long-poll'
    : 'transfer';
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
