import { STATUS_CODES } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { explained } from '../core/disk-trouble.ts';
import { type ErrorCode, WarmbootError } from '../core/errors.ts';
import type { Logger } from '../core/ports.ts';

/** The one table of statuses. */
const STATUS = {
  malformed: 400,
  unauthorized: 401,
  'not-found': 404,
  conflict: 409,
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
export function problem(c: Context, status: ContentfulStatusCode, detail: string): Response {
  return c.body(
    JSON.stringify({ type: 'about:blank', title: TITLE[status] ?? 'Error', status, detail }),
    status,
    {
      'content-type': 'application/problem+json',
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    },
  );
}

/** Turns what was thrown into an answer. What nobody foresaw is logged whole and told to the caller without its stack. */
export function problemOf(c: Context, error: unknown, logger: Logger): Response {
  if (c.env?.outgoing?.headersSent) {
    logger.error({ err: error, path: c.req.path }, 'answer broke off');
    return RESPONSE_ALREADY_SENT;
  }
  const told = explained(error, 'try again');
  if (told !== error) logger.warn({ err: error, path: c.req.path }, 'the disk is full');
  if (told instanceof WarmbootError) return problem(c, STATUS[told.code], told.message);
  if (error instanceof HTTPException)
    return problem(
      c,
      error.status as ContentfulStatusCode,
      `${error.message.replace(/\.$/, '') || 'The request could not be read'}.`,
    );
  logger.error({ err: error, path: c.req.path }, 'request failed');
  return problem(c, 500, 'The server failed at this request; its log says how. Try again.');
}
