import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context, MiddlewareHandler } from 'hono';

const HEADER = 'x-request-id';
/** What programs and proxies make up: UUIDs, trace ids. Anything else is replaced, for it ends up in logs. */
const ID = /^[A-Za-z0-9._:=-]{1,64}$/;

/** Each request has an id: the client's own, or a new one. It is in the answer and in every log line about the request. */
export const requestId: MiddlewareHandler<{ Bindings: HttpBindings }> = async (c, next) => {
  const said = c.req.header(HEADER);
  // On Node's own answer, for some routes write to it directly.
  c.env.outgoing.setHeader(HEADER, said !== undefined && ID.test(said) ? said : randomUUID());
  await next();
};

/** @returns undefined outside of a server, as in a test of the app alone */
export function requestIdOf(c: Context): string | undefined {
  const outgoing: Pick<ServerResponse, 'getHeader'> | undefined = c.env?.outgoing;
  return outgoing?.getHeader(HEADER) as string | undefined;
}
