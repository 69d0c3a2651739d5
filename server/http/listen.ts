import { createServer, type Server } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { WarmbootError } from '../core/errors.ts';

export type Listening = { readonly host: string; readonly port: number; close(): Promise<void> };

/** How long open transfers may take to end when the server stops. */
const CLOSE_GRACE_MS = 3_000;

/**
 * Serves an app on `host:port` (port 0: any). A slow or silent client is let go: headers within 20 s.
 * @throws WarmbootError when the address cannot be had, with what to do
 */
export async function listen(
  app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>,
  at: { readonly host: string; readonly port: number },
): Promise<Listening> {
  const server = createServer(
    { headersTimeout: 20_000, keepAliveTimeout: 75_000 },
    // Old firmware speaks HTTP/1.0 and sends no Host; no answer of ours depends on it.
    getRequestListener(app.fetch as never, { hostname: 'localhost' }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw new WarmbootError('unavailable', `Cannot listen on ${at.host}:${at.port}: ${why(error)}`);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : at.port;
  return { host: at.host, port, close: () => close(server) };
}

function why(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'another program listens there. Stop it, or choose another port.';
  if (error.code === 'EADDRNOTAVAIL')
    return 'this machine does not have the address. Give one that it has, or 0.0.0.0.';
  if (error.code === 'EACCES') return 'ports below 1024 need root. Start as root, or choose another port.';
  return `${error.message}.`;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
