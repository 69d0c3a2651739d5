import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import { matchedRoutes } from 'hono/route';
import type { Role } from '../core/by.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Clock, Logger } from '../core/ports.ts';
import { rateLimit } from '../core/rate-limit.ts';
import { sourceOf } from '../core/source-address.ts';
import { includes, type Principal, type TokenUseCases } from '../core/token.ts';
import type { AdminApp, AdminEnv } from './admin-app.ts';
import { bearerToken } from './caller.ts';
import { problem } from './problem.ts';

/** The cookie of a session. Its value is no token: it is of use for some hours, and only in a browser. */
export const SESSION_COOKIE = 'warmboot-session';

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

/** Wrong tokens of one address, and of all: nobody can guess one, but each costs a look into the store and a line in the log. */
const FAILURES = { each: { burst: 20, everyMs: 3_000 }, all: { burst: 1_000, everyMs: 20 } };

export type Failures = {
  /**
   * Counts a wrong token. A right one is never counted and never refused, whatever came from its address before.
   * @throws WarmbootError `too-many`
   */
  note(c: Context<AdminEnv>): void;
};

export function countFailures(clock: Clock, logger: Logger): Failures {
  const waitOf = rateLimit(FAILURES.each, FAILURES.all);
  return {
    note(c) {
      const client = c.env.incoming.socket.remoteAddress ?? 'unknown';
      const waitMs = waitOf(sourceOf(client), clock());
      if (waitMs > 0)
        throw new WarmbootError(
          'too-many',
          'Too many wrong tokens came from this address. Use the right one, which is taken at any time.',
          waitMs,
        );
      logger.warn({ client, method: c.req.method, path: c.req.path }, 'wrong token');
    },
  };
}

/**
 * Who may come in: every route needs the role that its contract names (`x-role`), or by default a viewer for GET and an
 * operator for all else; only those with `security: []` need nothing. What is not described needs a token, too.
 * @param open `METHOD /path` of routes that need nothing and are no part of the contract
 */
export function access(
  app: AdminApp,
  tokens: Pick<TokenUseCases, 'owner' | 'ofSession'>,
  failures: Failures,
  open: readonly string[] = [],
): MiddlewareHandler<AdminEnv> {
  let needs: ReadonlyMap<string, Role | null> | null = null;
  return async (c, next) => {
    // Routes are added after this one.
    needs ??= new Map([...neededRoles(app), ...open.map((route) => [route, null] as const)]);
    const needed = neededBy(c, needs);
    if (needed === null) return next();

    const bearer = bearerToken(c);
    const cookie = c.req.header('authorization') ? undefined : getCookie(c, SESSION_COOKIE);
    const principal =
      bearer !== null ? await tokens.owner(bearer) : cookie ? await tokens.ofSession(cookie) : null;
    if (principal === null) {
      const isWrong = bearer !== null || cookie !== undefined;
      if (isWrong) failures.note(c);
      return unauthorized(c, isWrong);
    }
    if (bearer === null && !SAFE.includes(c.req.method) && !isSameOrigin(c))
      return problem(
        c,
        403,
        'A page of another site asks for this change, and it was refused. Use the pages of this server.',
      );
    if (!includes(principal.role, needed)) return forbidden(c, principal, needed);
    c.set('by', principal);
    return next();
  };
}

/** `METHOD /path/:parameter` → the role; null: none is needed. */
function neededRoles(app: AdminApp): ReadonlyMap<string, Role | null> {
  const needs = new Map<string, Role | null>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, security } = definition.route;
    const role = (definition.route as { 'x-role'?: Role })['x-role'] ?? usualRole(method.toUpperCase());
    const isPublic = security !== undefined && security.length === 0;
    needs.set(`${method.toUpperCase()} ${path.replaceAll(/\/\{(.+?)\}/g, '/:$1')}`, isPublic ? null : role);
  }
  return needs;
}

function usualRole(method: string): Role {
  return SAFE.includes(method) ? 'viewer' : 'operator';
}

function neededBy(c: Context, needs: ReadonlyMap<string, Role | null>): Role | null {
  const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
  const routes = matchedRoutes(c).filter((each) => each.method === method);
  const roles = routes.map(({ path }) => {
    const described = needs.get(`${method} ${path}`);
    return described === undefined ? usualRole(method) : described;
  });
  // Where two routes fit, what the stricter one needs.
  return roles.length === 0 ? usualRole(method) : roles.reduce(stricter);
}

function stricter(one: Role | null, other: Role | null): Role | null {
  if (one === null || other === null) return one ?? other;
  return includes(one, other) ? one : other;
}

function unauthorized(c: Context, isWrong: boolean): Response {
  const response = problem(
    c,
    401,
    isWrong
      ? 'The token is wrong, was revoked or has expired. An admin can make another: warmboot token create NAME --role ROLE.'
      : 'The admin plane needs a token: "Authorization: Bearer TOKEN", as in DATA/admin.token.',
  );
  // RFC 6750, 3.1: whoever sent none is told no error.
  if (isWrong) response.headers.set('www-authenticate', 'Bearer error="invalid_token"');
  return response;
}

function forbidden(c: Context, { name, role }: Principal, needed: Role): Response {
  const response = problem(
    c,
    403,
    `This needs a token of role ${needed}, and "${name}" is of role ${role}. An admin can make one: warmboot token create NAME --role ${needed}.`,
  );
  response.headers.set('www-authenticate', `Bearer error="insufficient_scope", scope="${needed}"`);
  return response;
}

/**
 * Whether a page of this server asks. Browsers say it themselves (Fetch Metadata); old ones name their page's origin, which must
 * be what they asked. A program that sends neither has a token, and needs no cookie.
 */
export function isSameOrigin(c: Pick<Context, 'req'>): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin === undefined || !URL.canParse(origin)) return false;
  return new URL(origin).host === c.req.header('host')?.toLowerCase();
}
