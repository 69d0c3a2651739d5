import { readFileSync } from 'node:fs';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Role } from '../../server/core/by.ts';
import { WarmbootError } from '../../server/core/errors.ts';
import { type AdminPlane, adminPlane } from '../../server/http/admin-plane.ts';

/** All that can be asked without a token. Whoever adds a line here lets strangers in. */
const PUBLIC = ['GET /healthz', 'GET /readyz', 'GET /api/v1/openapi.json', 'POST /api/v1/session'];
/** What an operator may not do. Whoever takes a line away gives the fleet to every operator. */
const ADMIN = [
  'PUT /api/v1/discovery',
  'PUT /api/v1/mirrors',
  'GET /api/v1/webhooks',
  'POST /api/v1/webhooks',
  'GET /api/v1/webhooks/{id}',
  'PATCH /api/v1/webhooks/{id}',
  'DELETE /api/v1/webhooks/{id}',
  'POST /api/v1/webhooks/{id}/test',
  'GET /api/v1/tokens',
  'POST /api/v1/tokens',
  'GET /api/v1/tokens/{id}',
  'DELETE /api/v1/tokens/{id}',
  'GET /api/v1/keys',
  'POST /api/v1/keys',
  'DELETE /api/v1/keys/{id}',
  'POST /api/v1/backup',
  'GET /api/v1/hosts/{mac}/files/{path}',
];
const ROLES: readonly Role[] = ['viewer', 'operator', 'admin'];
/** What a viewer may change: whether it is logged in itself. */
const OWN = ['DELETE /api/v1/session'];

/** The admin plane over use cases that all say "reached"; the token is the name of its role. */
function plane() {
  const reached = () => {
    throw new WarmbootError('unavailable', 'reached');
  };
  const cases = new Proxy({}, { get: () => reached });
  const owner = async (token: string) =>
    ['viewer', 'operator', 'admin'].includes(token)
      ? {
          name: token,
          tokenId: token,
          role: token as Role,
          expiresAt: null,
          over: new AbortController().signal,
        }
      : null;
  let time = 0;
  const quiet = () => {};
  const parts = new Proxy(
    {
      tokens: {
        owner,
        ofSession: owner,
        list: reached,
        find: reached,
        create: reached,
        revoke: reached,
        login: reached,
        logout: async () => {},
      },
      // Nobody is too fast.
      clock: () => (time += 60_000),
      instance: 'i',
      settled: () => null,
      pages: null,
      layouts: new Map(),
      stopping: new AbortController().signal,
      meters: new Proxy({}, { get: () => quiet }),
      logger: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      requests: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    },
    { get: (known, name) => (name in known ? known[name as keyof typeof known] : cases) },
  );
  return adminPlane(parts as unknown as AdminPlane);
}
const app = plane();

function ask(method: string, path: string, headers: Record<string, string> = {}) {
  const filled = path.replaceAll(/:\w+/g, '52:54:00:00:00:01').replaceAll('*', 'x');
  // As Node gives them, with a connection that goes nowhere.
  const incoming = new IncomingMessage(new Socket());
  const env = { incoming, outgoing: new ServerResponse(incoming) };
  return app.request(filled, { method, headers }, env);
}
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

const ROUTES = [
  ...new Set(
    app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`),
  ),
];
const OPEN = ROUTES.filter((route) => PUBLIC.includes(route));
const CLOSED = ROUTES.filter((route) => !PUBLIC.includes(route));
const split = (route: string) => route.split(' ') as [string, string];
const isChange = (route: string) => !route.startsWith('GET ');

test('all routes are seen', () => {
  expect(ROUTES.length).toBeGreaterThan(40);
  expect(ROUTES).toContain('GET /api/v1/builds/:id/log');
  expect(OPEN.toSorted()).toEqual(PUBLIC.toSorted());
});

describe.each(CLOSED)('%s', (route) => {
  const [method, path] = split(route);
  test('without a token, or with one that nobody has: 401', async () => {
    const bare = await ask(method, path);
    expect([bare.status, bare.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(bare.headers.get('content-type')).toBe('application/problem+json');
    for (const headers of [
      { cookie: 'warmboot-session=x', 'sec-fetch-site': 'same-origin' },
      { authorization: 'Basic viewer' },
    ])
      expect((await ask(method, path, headers)).status).toBe(401);
  });
  test('its role is enough, and the one below is not', async () => {
    const answers = await Promise.all(
      ['viewer', 'operator', 'admin'].map((role) => ask(method, path, bearer(role))),
    );
    const refused = answers.map(({ status }) => status === 403);
    expect(answers.map(({ status }) => status)).not.toContain(401);
    const least = isChange(route) && !OWN.includes(route) ? 1 : 0;
    expect(refused.slice(0, least)).toEqual(Array(least).fill(true));
    // Once a role is enough, every higher one is.
    expect(refused).toEqual(refused.toSorted((one, other) => Number(other) - Number(one)));
    expect(refused[2]).toBe(false);
  });
});

describe('the contract, as it is published', () => {
  type Operation = { readonly 'x-role'?: Role; readonly security?: readonly unknown[] };
  const { paths } = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'),
  ) as { paths: Record<string, Record<string, Operation>> };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { 'x-role': role, security }]) =>
        [method.toUpperCase(), path, security?.length === 0 ? null : role] as const,
    ),
  );
  const of = (wanted: Role | null) =>
    operations.filter(([, , role]) => role === wanted).map(([method, path]) => `${method} ${path}`);

  test('asks for an admin where secrets, keys and the whole fleet are at stake', () => {
    expect(of('admin').toSorted()).toEqual(ADMIN.toSorted());
    expect(of(null)).toEqual(['POST /api/v1/session']);
    expect(paths['/api/v1/session']?.post?.['x-role']).toBeUndefined();
    const looks = operations.filter(([method, , role]) => method === 'GET' && role === 'operator');
    expect(looks).toEqual([]);
  });

  test.each(operations.filter(([, , role]) => role !== null))(
    '%s %s: %s and nobody below',
    async (method, path, role) => {
      const at = path.replaceAll(/\{\w+\}/g, '52:54:00:00:00:01');
      const least = ROLES.indexOf(role as Role);
      for (const [rank, name] of ROLES.entries()) {
        const cookie = { cookie: `warmboot-session=${name}` };
        const refused = async (headers: Record<string, string>) =>
          (await ask(method, at, headers)).status === 403;
        expect([name, await refused(bearer(name))]).toEqual([name, rank < least]);
        expect([name, await refused({ ...cookie, 'sec-fetch-site': 'same-origin' })]).toEqual([
          name,
          rank < least,
        ]);
        // A page of another site makes the browser send the cookie: it may look at nothing of it, and change nothing.
        const isLook = method === 'GET' && rank >= least;
        for (const site of ['cross-site', 'same-site', 'none'])
          expect([name, site, await refused({ ...cookie, 'sec-fetch-site': site })]).toEqual([
            name,
            site,
            !isLook,
          ]);
      }
      // Two of them are none, whichever is good.
      for (const both of ['Bearer admin, Bearer nobody', 'Bearer nobody, Bearer admin'])
        expect((await ask(method, at, { authorization: both })).status).toBe(401);
    },
  );
});

test('a viewer can change nothing', async () => {
  for (const route of CLOSED.filter(isChange).filter((each) => !OWN.includes(each)))
    expect([route, (await ask(...split(route), bearer('viewer'))).status]).toEqual([route, 403]);
});

test('tokens are an admin’s alone, also to look at', async () => {
  const tokens = CLOSED.filter((route) => route.includes('/api/v1/tokens'));
  expect(tokens).toHaveLength(4);
  for (const route of tokens) expect((await ask(...split(route), bearer('operator'))).status).toBe(403);
});

test('the refusal names the role that is needed', async () => {
  const answer = await ask('DELETE', '/api/v1/hosts/x', bearer('viewer'));
  expect(answer.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="operator"');
  expect(((await answer.json()) as { detail: string }).detail).toBe(
    'This needs a token of role operator, and "viewer" is of role viewer. An admin can make one: warmboot token create NAME --role operator.',
  );
  const wrong = await ask('GET', '/api/v1/hosts', bearer('nobody'));
  expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([
    401,
    'Bearer error="invalid_token"',
  ]);
});

test.each([
  '/api/v1/nothing',
  '/nothing',
  '/api/v1/hosts/x/y/z',
  '/api/v2/hosts',
  '/../etc/passwd',
  '//healthz',
])('what is not there is told only to those who may look: %s', async (path) => {
  expect((await ask('GET', path)).status).toBe(401);
  expect((await ask('POST', path, bearer('viewer'))).status).toBe(403);
  expect((await ask('GET', path, bearer('viewer'))).status).toBe(404);
});

test('HEAD is GET, another method needs an operator', async () => {
  expect((await ask('HEAD', '/api/v1/hosts')).status).toBe(401);
  expect((await ask('HEAD', '/api/v1/tokens', bearer('operator'))).status).toBe(403);
  expect((await ask('PATCH', '/api/v1/hosts', bearer('viewer'))).status).toBe(403);
});

describe('a cookie', () => {
  const cookie = { cookie: 'warmboot-session=operator' };
  const remove = (headers: Record<string, string>) =>
    ask('DELETE', '/api/v1/hosts/52:54:00:00:00:01', { ...cookie, host: 'boot.example:8081', ...headers });
  test.each<[string, Record<string, string>]>([
    ['no word of where it comes from', {}],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'http://boot.example:8081' }],
    ['another port of the machine', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'http://evil.example' }],
    ['the same name, another port', { origin: 'http://boot.example' }],
    ['a page without an origin', { origin: 'null' }],
    ['nonsense', { origin: '::::' }],
  ])('changes nothing with %s', async (_, headers) => {
    const answer = await remove(headers);
    expect(answer.status).toBe(403);
    expect(((await answer.json()) as { detail: string }).detail).toMatch(/another site/);
  });
  test('is enough for a page of this server, and to look', async () => {
    expect((await remove({ 'sec-fetch-site': 'same-origin' })).status).toBe(503);
    expect((await remove({ origin: 'http://boot.example:8081' })).status).toBe(503);
    expect((await ask('GET', '/api/v1/hosts', cookie)).status).toBe(503);
  });
  test('does not count beside a token', async () => {
    expect((await ask('GET', '/api/v1/hosts', { ...cookie, ...bearer('nobody') })).status).toBe(401);
    expect((await remove({ 'sec-fetch-site': 'cross-site', ...bearer('operator') })).status).toBe(503);
  });
});
