import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { NOW, run } from './run.ts';

const DAY = 86_400_000;
const token = (facts: object) => ({
  id: 'id-of-ci',
  name: 'ci',
  role: 'operator',
  createdAt: NOW - 2 * DAY,
  createdBy: 'first',
  expiresAt: NOW + 30 * DAY,
  lastUsedAt: NOW - 60_000,
  ...facts,
});
const TOKENS = [
  token({ id: 'id-of-first', name: 'first', role: 'admin', createdBy: null, expiresAt: null }),
  token({}),
  token({ id: 'id-of-old', name: 'id-of-ci', role: 'viewer', expiresAt: NOW - 1, lastUsedAt: null }),
];

test('create prints the token alone, and what to do with it beside', async () => {
  const server = await adminServer({ 'POST /api/v1/tokens': () => ({ ...token({}), token: 'the-secret' }) });
  const ran = await run([
    'token',
    'create',
    'ci',
    '--role',
    'operator',
    '--expires',
    '30d',
    '--server',
    server.url,
  ]);
  expect(ran).toEqual({
    code: 0,
    stdout: 'the-secret\n',
    stderr: 'The token "ci", of role operator. Keep it: nobody can see it again.\n',
  });
  expect(server.asked.at(-1)?.body).toEqual({ name: 'ci', role: 'operator', expiresInSeconds: 30 * 86_400 });
  await run(['token', 'create', 'ci', '--role', 'viewer', '--server', server.url]);
  expect(server.asked.at(-1)?.body).toEqual({ name: 'ci', role: 'viewer' });
});

test.each([
  [['--role', 'root'], 'Allowed choices are viewer, operator, admin'],
  [[], "required option '--role <role>' not specified"],
  [['--role', 'viewer', '--expires', '30'], 'It is a time like 90m, 12h, 30d or 2w'],
  [['--role', 'viewer', '--expires', '0d'], 'It is a time like 90m, 12h, 30d or 2w'],
])('create with %j is no use', async (options, why) => {
  const { code, stderr } = await run(['token', 'create', 'ci', ...options]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(why)]);
});

test('list', async () => {
  const server = await adminServer({ 'GET /api/v1/tokens': () => ({ tokens: TOKENS }) });
  const { stdout } = await run(['token', 'list', '--server', server.url]);
  expect(stdout).toMatchInlineSnapshot(`
    "NAME      ROLE      ID           MADE     BY          EXPIRES      USED
    first     admin     id-of-first  2 d ago  the server  never        1 min ago
    ci        operator  id-of-ci     2 d ago  first       in 30 d      1 min ago
    id-of-ci  viewer    id-of-old    2 d ago  first       has expired  never
    "
  `);
  const json = await run(['token', 'list', '--json', '--server', server.url]);
  expect(JSON.parse(json.stdout)).toEqual({ tokens: TOKENS });
});

test('revoke by name, or by id, which goes before a name', async () => {
  const server = await adminServer({
    'GET /api/v1/tokens': () => ({ tokens: TOKENS }),
    'DELETE /api/v1/tokens/id-of-ci': () => ({}),
  });
  for (const text of ['ci', 'id-of-ci']) {
    const { code, stdout } = await run(['token', 'revoke', text, '--server', server.url]);
    expect([code, stdout]).toEqual([0, 'The token "ci" is revoked.\n']);
    expect(server.asked.at(-1)).toMatchObject({ method: 'DELETE', path: '/api/v1/tokens/id-of-ci' });
  }
  const none = await run(['token', 'revoke', 'nobody', '--server', server.url]);
  expect([none.code, none.stderr]).toEqual([
    1,
    'warmboot: there is no token "nobody". See warmboot token list.\n',
  ]);
});
