import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import * as routes from '../contract/tokens.ts';
import type { Principal, TokenUseCases } from '../core/token.ts';
import { type Failures, SESSION_COOKIE } from './access.ts';
import { type AdminApp, type AdminEnv, byOf } from './admin-app.ts';
import { problem } from './problem.ts';

/** Tokens, and the sessions that pages make of them. */
export function addTokenRoutes(app: AdminApp, tokens: TokenUseCases, failures: Failures): void {
  app.openapi(routes.listTokens, async (c) => c.json({ tokens: [...(await tokens.list())] }, 200));
  app.openapi(routes.getToken, async (c) => c.json(await tokens.find(c.req.valid('param').id), 200));
  app.openapi(routes.createToken, async (c) => {
    const { name, role, expiresInSeconds } = c.req.valid('json');
    const expiresInMs = expiresInSeconds === undefined ? null : expiresInSeconds * 1000;
    const { token, secret } = await tokens.create(byOf(c), { name, role, expiresInMs });
    return c.json({ ...token, token: secret }, 201, NOT_KEPT);
  });
  app.openapi(routes.revokeToken, async (c) => {
    await tokens.revoke(byOf(c), c.req.valid('param').id);
    return c.body(null, 204);
  });

  app.openapi(routes.login, async (c) => {
    const begun = await tokens.login(c.req.valid('json').token);
    if (begun === null) {
      failures.note(c);
      return problem(c, 401, 'The token is wrong, was revoked or has expired. Log in with another.') as never;
    }
    const { session, principal } = begun;
    setCookie(c, SESSION_COOKIE, session, {
      ...cookieOptions(c),
      ...(principal.expiresAt !== null && { expires: new Date(principal.expiresAt) }),
    });
    return c.json(shown(principal), 200, NOT_KEPT);
  });
  app.openapi(routes.whoAmI, (c) => c.json(shown(c.get('by')), 200, NOT_KEPT));
  app.openapi(routes.logout, async (c) => {
    const session = getCookie(c, SESSION_COOKIE);
    if (session !== undefined) await tokens.logout(session);
    deleteCookie(c, SESSION_COOKIE, cookieOptions(c));
    return c.body(null, 204);
  });
}

/** What only the one who asked may have. */
const NOT_KEPT = { 'cache-control': 'no-store' };

function shown({ name, role, expiresAt }: Principal) {
  return { name, role, expiresAt };
}

/** No script reads it, no other site's page sends it, and over TLS nothing else does. */
function cookieOptions(c: Context<AdminEnv>) {
  const isTls = 'encrypted' in c.env.incoming.socket;
  return { path: '/', httpOnly: true, sameSite: 'Strict', secure: isTls } as const;
}
