import { createHash } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { WarmbootError } from '../core/errors.ts';
import type { OnceAnswer, OnceUseCases } from '../core/once-port.ts';
import type { AdminEnv } from './admin-app.ts';

/** Larger answers are not kept. */
const MAX_KEPT_BYTES = 64 * 1024;
const KEPT_HEADERS = ['content-type', 'etag', 'location'];
/** As a string of RFC 9651, as the draft says, or without the quotation marks. */
const KEY = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/;

/**
 * A POST with an Idempotency-Key is done once: sent again, it gets the answer of the first time. Comes behind what checks the
 * token and limits the body.
 */
export function once(cases: OnceUseCases): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    const header = c.req.header('idempotency-key');
    const token = c.get('by')?.tokenId;
    if (c.req.method !== 'POST' || header === undefined || token === undefined) return next();
    const match = KEY.exec(header);
    const key = match?.[1] ?? match?.[2];
    if (key === undefined)
      throw new WarmbootError(
        'malformed',
        'The Idempotency-Key is no key: write up to 255 printable characters in quotation marks, such as a UUID.',
      );
    const { pathname, search } = new URL(c.req.url);
    const body = Buffer.from(await c.req.arrayBuffer());
    const request = createHash('sha256').update(`POST ${pathname}${search}\n`).update(body).digest('hex');
    const told = await cases.run({ token, key }, request, async () => {
      await next();
      return kept(c.res);
    });
    if (told === null) return;
    return new Response(told.body, {
      status: told.status,
      headers: { ...told.headers, 'idempotency-replayed': 'true' },
    });
  };
}

/** Null for what is not kept: streams, secrets, what is long. */
async function kept(answer: Response): Promise<OnceAnswer | null> {
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream');
  // Written to the connection already: nothing is left to keep.
  if (answer.headers.has('x-hono-already-sent')) return null;
  if (isStream || answer.headers.get('cache-control')?.includes('no-store')) return null;
  const body = await answer.clone().text();
  if (Buffer.byteLength(body) > MAX_KEPT_BYTES) return null;
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  return { status: answer.status, headers: Object.fromEntries(headers), body };
}
