import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { ACCEPT_QUEUE } from '../core/accept-queue.ts';
import { cannotListen } from '../core/listen-address.ts';
import { boundConnections } from './bound-connections.ts';
import { type Drain, drainable } from './drain.ts';
import { inviteWhenRead } from './expectations.ts';
import { cutSilentBodies } from './slow-bodies.ts';
import { cutStalledAnswers } from './stalled-answers.ts';
import { cutUnreadBodies } from './unread-bodies.ts';
import { explainUnreadable, refuseCoded, refuseMalformed } from './unreadable.ts';

export type Listening = Drain & {
  readonly host: string;
  readonly port: number;
  /** Another certificate from the next connection on; those that are open stay. Only where it listens with TLS. */
  renew(tls: Tls): void;
  /** Cuts what is open. */
  close(): Promise<void>;
};

/** With what a server proves who it is; PEM. */
export type Tls = Certificate & {
  /** For who asks for `localhost`: this machine's own programs, whatever name the certificate is for. */
  readonly local?: Certificate | undefined;
};
type Certificate = { readonly certPem: string; readonly keyPem: string };

/** What clients may take: how long to send a request, after which a slow or silent one is let go, and how many connections. */
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
  /** Open at once; see `bound-connections.ts`. */
  readonly maxConnections: number;
};

/** For bodies of some KiB. */
export const SMALL_BODIES: Patience = {
  headersMs: 20_000,
  requestMs: 300_000,
  silenceMs: 0,
  stallMs: 300_000,
  lookMs: 30_000,
  maxConnections: 20_000,
};
/** For bodies of any length over any line: 4 GiB take six minutes at 100 Mbit/s. Nobody may fall silent, though. */
export const LARGE_BODIES: Patience = {
  ...SMALL_BODIES,
  requestMs: 0,
  silenceMs: 60_000,
  maxConnections: 2_000,
};

/**
 * Serves an app on `host:port` (port 0: any).
 * @throws WarmbootError when the address cannot be had, with what to do
 */
export async function listen(
  app: Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>,
  at: { readonly host: string; readonly port: number },
  { headersMs, requestMs, silenceMs, stallMs, lookMs, maxConnections }: Patience = SMALL_BODIES,
  tls: Tls | null = null,
): Promise<Listening> {
  const options = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: lookMs,
    keepAliveTimeout: 75_000,
  };
  // Old firmware speaks HTTP/1.0 and sends no Host; no answer of ours depends on it.
  const answer = refuseCoded(
    getRequestListener(app.fetch as never, {
      hostname: 'localhost',
      errorHandler: refuseMalformed,
    }),
  );
  const secure =
    tls && createTlsServer({ ...options, handshakeTimeout: headersMs, ...contextOf(tls) }, answer);
  if (tls) secure?.addContext('localhost', contextOf(tls.local ?? tls));
  const server: Server = secure ?? createServer(options, answer);
  // Each request that waits behind another of its connection listens for its end: a number of them is no leak.
  server.on(secure ? 'secureConnection' : 'connection', (socket) => socket.setMaxListeners(0));
  explainUnreadable(server);
  inviteWhenRead(server);
  boundConnections(server, maxConnections);
  const drain = drainable(server);
  cutStalledAnswers(server, stallMs);
  cutUnreadBodies(server);
  if (silenceMs > 0) cutSilentBodies(server, silenceMs);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: at.port, host: at.host, backlog: ACCEPT_QUEUE }, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    throw cannotListen('Cannot listen on TCP', at, error);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : at.port;
  return {
    host: at.host,
    port,
    renew(next) {
      secure?.setSecureContext(contextOf(next));
      secure?.addContext('localhost', contextOf(next.local ?? next));
    },
    ...drain,
    close: async () => void (await drain.drain(AbortSignal.abort())),
  };
}

/** CentOS 7 speaks TLS 1.2. */
function contextOf({ certPem, keyPem }: Certificate) {
  return { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' } as const;
}
