import { createServer, type Server } from 'node:http';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { cannotListen } from '../core/listen-address.ts';
import { cutSilentBodies } from './slow-bodies.ts';
import { cutStalledAnswers } from './stalled-answers.ts';

export type Listening = { readonly host: string; readonly port: number; close(): Promise<void> };

/** How long open transfers may take to end when the server stops. */
const CLOSE_GRACE_MS = 3_000;

/** How long clients may take to send a request; a slow or silent one is let go. */
export type Patience = {
  readonly headersMs: number;
  /** For the whole request; 0: as long as it takes. */
  readonly requestMs: number;
  /** Of silence within a body; 0: as long as `requestMs` allows. */
  readonly silenceMs: number;
  /** In which a client takes nothing of its answer. Disks that are flashed take a minute to sync what is cached. */
  readonly stallMs: number;
  /** How often headers and requests are looked at. */
  readonly lookMs: number;
};

/** For bodies of some KiB. */
export const SMALL_BODIES: Patience = {
  headersMs: 20_000,
  requestMs: 300_000,
  silenceMs: 0,
  stallMs: 300_000,
  lookMs: 30_000,
};
/** For bodies of any length over any line: 4 GiB take six minutes at 100 Mbit/s. Nobody may fall silent, though. */
export const LARGE_BODIES: Patience = { ...SMALL_BODIES, requestMs: 0, silenceMs: 60_000 };

/**
 * Serves an app on `host:port` (port 0: any).
 * @throws WarmbootError when the address cannot be had, with what to do
 */
export async function listen(
  app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>,
  at: { readonly host: string; readonly port: number },
  { headersMs, requestMs, silenceMs, stallMs, lookMs }: Patience = SMALL_BODIES,
): Promise<Listening> {
  const server = createServer(
    {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: lookMs,
      keepAliveTimeout: 75_000,
    },
    // Old firmware speaks HTTP/1.0 and sends no Host; no answer of ours depends on it.
    getRequestListener(app.fetch as never, { hostname: 'localhost' }),
  );
  // Each request that waits behind another of its connection listens for its end: a number of them is no leak.
  server.on('connection', (socket) => socket.setMaxListeners(0));
  cutStalledAnswers(server, stallMs);
  if (silenceMs > 0) cutSilentBodies(server, silenceMs);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw cannotListen('Cannot listen on TCP', at, error);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : at.port;
  return { host: at.host, port, close: () => close(server) };
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
