import type { Context, MiddlewareHandler } from 'hono';
import { problem } from './problem.ts';

const WITH_BODY = ['POST', 'PUT', 'PATCH'];

/**
 * Refuses a body that is compressed (RFC 9110, 15.5.16): read as it lies there it would be refused as JSON that does not parse,
 * or stored as what it is not. Nothing of it is read.
 */
export const refuseCodedBodies: MiddlewareHandler = async (c: Context, next) => {
  const codings = (c.req.header('content-encoding') ?? '').split(',').map((each) => each.trim());
  const coding = codings.find((each) => each !== '' && each.toLowerCase() !== 'identity');
  if (coding === undefined || !WITH_BODY.includes(c.req.method)) return next();
  c.header('accept-encoding', 'identity');
  return problem(
    c,
    415,
    `The body is encoded (${coding.slice(0, 64)}), and this server takes it only as it is. Send it without Content-Encoding.`,
  );
};
