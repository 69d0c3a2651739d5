import { STATUS_CODES } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { explained } from '../core/disk-trouble.ts';
import { type ErrorCode, WarmbootError } from '../core/errors.ts';
import type { Logger } from '../core/ports.ts';
import { requestIdOf } from './request-id.ts';

/** The one table of statuses. */
const STATUS = {
  malformed: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  outdated: 412,
  'too-large': 413,
  invalid: 422,
  'too-many': 429,
  unavailable: 503,
} as const satisfies Record<ErrorCode, ContentfulStatusCode>;

/** Names of statuses by RFC 9110 where Node has older ones. */
const TITLE: Readonly<Record<number, string | undefined>> = {
  ...STATUS_CODES,
  413: 'Content Too Large',
  422: 'Unprocessable Content',
};

/** Answers with a problem document (RFC 9457). `detail` is one sentence: what, why, what to do. */
export function problem(
  c: Context,
  status: ContentfulStatusCode,
  detail: string,
  retryAfterMs: number | null = null,
): Response {
  return c.body(
    JSON.stringify({ type: 'about:blank', title: TITLE[status] ?? 'Error', status, detail }),
    status,
    {
      'content-type': 'application/problem+json',
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      // Whole seconds (RFC 9110, 10.2.3), and never "at once".
      ...(retryAfterMs !== null && { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
    },
  );
}

/** Turns what was thrown into an answer. What nobody foresaw is logged whole and told to the caller without its stack. */
export function problemOf(c: Context, error: unknown, logger: Logger): Response {
  const about = { id: requestIdOf(c), path: c.req.path };
  if (c.env?.outgoing?.headersSent) {
    logger.error({ ...about, err: error }, 'answer broke off');
    return RESPONSE_ALREADY_SENT;
  }
  const told = explained(error, 'try again');
  if (told !== error) logger.warn({ ...about, err: error }, 'the disk refuses to be written');
  if (told instanceof WarmbootError) return problem(c, STATUS[told.code], told.message, told.retryAfterMs);
  if (error instanceof HTTPException && error.status === 415) return problem(c, 415, otherType(c));
  if (error instanceof HTTPException)
    return problem(
      c,
      error.status as ContentfulStatusCode,
      `${error.message.replace(/\.$/, '') || 'The request could not be read'}.`,
    );
  // The client broke it off: nobody is there to be told, and the access log says so.
  if (c.env?.incoming?.destroyed && (error as NodeJS.ErrnoException | null)?.code === 'ECONNRESET')
    return problem(c, 400, 'The request broke off. Send it again.');
  logger.error({ ...about, err: error }, 'request failed');
  return problem(c, 500, 'The server failed at this request; its log says how. Try again.');
}

/** Clients that name no type for a body, or a form's, are curl and browsers. */
function otherType(c: Context): string {
  const type = c.req.header('content-type')?.slice(0, 100);
  return `The body is ${type === undefined ? 'of no type' : `of type ${type}`}, and this takes JSON. Send it with "Content-Type: application/json".`;
}
