import { lookup as resolve } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Sent } from '../core/webhook.ts';
import type { Post } from '../core/webhook-port.ts';
import { isRefused } from './addresses.ts';

/** From the first byte to the answer's head; Standard Webhooks asks for 15 to 30 seconds. */
const TIMEOUT_MS = 20_000;
/** What is read of an answer's body, so that the connection can be used again; more is not worth it. */
const BODY_BYTES = 16 * 1024;

/** @param isFree whether link-local and metadata addresses may be asked too */
export function poster(isFree: boolean, timeoutMs: number = TIMEOUT_MS): { post: Post; close(): void } {
  const agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: 4, maxFreeSockets: 1, timeout: 60_000 }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: 4, maxFreeSockets: 1, timeout: 60_000 }),
  };

  /** The address that is looked at is the one that is connected to: a name cannot lead elsewhere in between. */
  const lookup: LookupFunction = (name, options, done) => {
    resolve(name, { ...options, all: true }, (error, found) => {
      const good = error ? [] : found.filter(({ address }) => isFree || !isRefused(address));
      const [first] = good;
      if (error) done(error, '');
      else if (!first) done(new Error(refusal(found[0]?.address ?? name)), '');
      else if (options.all) done(null, good);
      else done(null, first.address, first.family);
    });
  };

  const post: Post = (address, headers, body, signal) =>
    new Promise<Sent>((settle) => {
      const url = new URL(address);
      const name = url.hostname.replace(/^\[|\]$/g, '');
      if (isIP(name) !== 0 && !isFree && isRefused(name)) return settle({ error: refusal(name) });
      const { request } = url.protocol === 'https:' ? https : http;
      const agent = url.protocol === 'https:' ? agents['https:'] : agents['http:'];
      const bytes = Buffer.from(body);
      const call = request(url, {
        method: 'POST',
        agent,
        lookup,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
        maxHeaderSize: 16 * 1024,
        headers: { ...headers, 'content-length': bytes.length },
      });
      call.on('response', (answer) => {
        const after = /^\d{1,6}$/.exec(answer.headers['retry-after'] ?? '')?.[0];
        settle({
          status: answer.statusCode ?? 0,
          retryAfterSeconds: after === undefined ? null : Number(after),
        });
        let read = 0;
        answer.on('data', (part: Buffer) => {
          read += part.length;
          if (read > BODY_BYTES) answer.destroy();
        });
        answer.on('error', () => {});
      });
      call.on('error', (error) => settle({ error: why(error, timeoutMs) }));
      call.end(bytes);
    });

  return {
    post,
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function refusal(address: string): string {
  return `${address} is a link-local, metadata or group address, which no webhook may ask (serve --webhook-link-local allows it)`;
}

function why(error: Error & { code?: string; cause?: unknown }, timeoutMs: number): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  if (cause.name === 'TimeoutError') return `it did not answer within ${timeoutMs / 1000} s`;
  if (error.name === 'AbortError') return 'the server stopped meanwhile';
  return error.message.slice(0, 300) || error.code || 'the connection failed';
}
