import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const TOKENS = '/api/v1/tokens';
const SESSION = '/api/v1/session';
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const as = (token: string, path: string, how: object = {}) =>
  server.admin(path, { ...how, headers: bearer(token) });
async function make(wish: object): Promise<{ id: string; name: string; token: string }> {
  const { status, json } = await server.admin(TOKENS, { body: wish });
  expect(status).toBe(201);
  return json;
}

describe('tokens', () => {
  test('made, shown once, used, revoked', async () => {
    const made = await server.admin(TOKENS, {
      body: { name: 'ci', role: 'operator', expiresInSeconds: 3600 },
    });
    expect(made.status).toBe(201);
    expect(made.headers['cache-control']).toBe('no-store');
    const { id, token, createdAt } = made.json;
    expect(made.json).toMatchObject({
      name: 'ci',
      role: 'operator',
      createdBy: 'first',
      expiresAt: createdAt + 3_600_000,
    });
    expect((await as(token, '/api/v1/hosts')).status).toBe(200);
    const shown = await server.admin(`${TOKENS}/${id}`);
    const listed = await server.admin(TOKENS);
    expect(shown.json).toMatchObject({ id, name: 'ci', lastUsedAt: null });
    expect(listed.json.tokens.map(({ name }: { name: string }) => name)).toEqual(['first', 'ci']);
    const written = readFileSync(join(server.dataDir, 'warmboot.db-wal'));
    expect([shown.text, listed.text].some((text) => text.includes(token)) || written.includes(token)).toBe(
      false,
    );
    expect((await server.admin(`${TOKENS}/${id}`, { method: 'DELETE' })).status).toBe(204);
    const after = await as(token, '/api/v1/hosts');
    expect([after.status, after.json.detail]).toEqual([
      401,
      expect.stringContaining('was revoked or has expired'),
    ]);
    expect((await server.admin(`${TOKENS}/${id}`)).status).toBe(404);
  });

  test('each event says by whose token', async () => {
    const { token } = await make({ name: 'robot-7', role: 'operator' });
    const mac = '52:54:00:bb:00:01';
    await as(token, '/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
    await as(token, `/api/v1/hosts/${mac}/reinstall`, { body: {} });
    const { json } = await server.admin(`/api/v1/events?host=${mac}`);
    expect(json.events.length).toBeGreaterThanOrEqual(4);
    for (const event of json.events) expect(event).toMatchObject({ actor: 'operator', by: 'robot-7' });
    const made = (await server.admin('/api/v1/events?limit=1000')).json.events.find(
      ({ kind, data }: { kind: string; data: { name: string } }) =>
        kind === 'token-created' && data.name === 'robot-7',
    );
    expect(made).toMatchObject({ by: 'first', data: { role: 'operator', expiresAt: null } });
  });

  test.each<[string, number, object]>([
    ['without a role', 400, { name: 'x' }],
    ['of a role that there is not', 400, { name: 'x', role: 'root' }],
    ['that ended before it began', 400, { name: 'x', role: 'viewer', expiresInSeconds: 0 }],
    ['for a million years', 400, { name: 'x', role: 'viewer', expiresInSeconds: 1e15 }],
    ['with a name of its own choice for the secret', 400, { name: 'x', role: 'viewer', token: 'mine' }],
    ['with a name that is none', 422, { name: 'a b', role: 'viewer' }],
    ['with a name that is taken', 409, { name: 'first', role: 'viewer' }],
  ])('%s is refused', async (_, status, body) => {
    expect((await server.admin(TOKENS, { body })).status).toBe(status);
  });

  test('a revoked token’s stream ends', async () => {
    const { id, token } = await make({ name: 'watcher', role: 'viewer' });
    const open = server.admin('/api/v1/events?after=0', {
      headers: { ...bearer(token), accept: 'text/event-stream' },
    });
    await server.admin(`${TOKENS}/${id}`, { method: 'DELETE' });
    expect((await open).text).toContain('event: token-created');
  });
});

describe('a session', () => {
  const login = (token: string, headers: Record<string, string> = {}) =>
    ask(server.running.adminUrl, SESSION, { body: { token }, headers });
  const cookieOf = (answer: { headers: Readonly<Record<string, unknown>> }) =>
    String((answer.headers['set-cookie'] as string[])[0]);

  test('begins with a token and ends with it', async () => {
    const { id, token } = await make({ name: 'browser', role: 'viewer' });
    const begun = await login(token);
    expect([begun.status, begun.json.name, begun.json.role]).toEqual([200, 'browser', 'viewer']);
    expect(cookieOf(begun)).toMatch(
      /^warmboot-session=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Strict$/,
    );
    expect(begun.text + cookieOf(begun)).not.toContain(token);
    const cookie = cookieOf(begun).split(';')[0] ?? '';
    const look = (path: string) => ask(server.running.adminUrl, path, { headers: { cookie } });
    expect((await look(SESSION)).json).toMatchObject({ name: 'browser', role: 'viewer' });
    expect((await look('/api/v1/hosts')).status).toBe(200);
    await server.restart();
    expect((await look('/api/v1/hosts')).status).toBe(200);
    await server.admin(`${TOKENS}/${id}`, { method: 'DELETE' });
    expect((await look('/api/v1/hosts')).status).toBe(401);
  });

  test('ends when it is ended, by its own page alone', async () => {
    const begun = await login(server.token);
    const cookie = cookieOf(begun).split(';')[0] ?? '';
    const remove = (site: string) =>
      ask(server.running.adminUrl, SESSION, {
        method: 'DELETE',
        headers: { cookie, 'sec-fetch-site': site },
      });
    expect((await remove('cross-site')).status).toBe(403);
    const ended = await remove('same-origin');
    expect(ended.status).toBe(204);
    expect(cookieOf(ended)).toMatch(/^warmboot-session=; Max-Age=0; Path=\//);
    expect((await ask(server.running.adminUrl, SESSION, { headers: { cookie } })).status).toBe(401);
  });

  test('is not begun by a form of another site, nor by a wrong token', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const sent = await ask(server.running.adminUrl, SESSION, {
      body: `token=${server.token}`,
      headers: form,
    });
    expect(sent.status).toBe(415);
    const text = { 'content-type': 'text/plain' };
    const plain = await ask(server.running.adminUrl, SESSION, {
      body: `{"token":"${server.token}"}`,
      headers: text,
    });
    expect([plain.status, plain.headers['set-cookie']]).toEqual([415, undefined]);
    const wrong = await login('wrong');
    expect([wrong.status, wrong.headers['set-cookie']]).toEqual([401, undefined]);
    expect((await login('x'.repeat(5000))).status).toBe(413);
  });
});

test('a stranger who guesses is told to wait, and locks nobody out', async () => {
  const guess = () => as('a-wrong-guess', '/api/v1/hosts');
  let answer = await guess();
  for (let i = 0; i < 40 && answer.status === 401; i += 1) answer = await guess();
  expect(answer.status).toBe(429);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  // Both come from the same address.
  expect((await server.admin('/api/v1/hosts')).status).toBe(200);
  expect((await ask(server.running.adminUrl, SESSION, { body: { token: server.token } })).status).toBe(200);
  expect((await ask(server.running.adminUrl, SESSION, { body: { token: 'guess' } })).status).toBe(429);
  expect((await ask(server.running.adminUrl, '/api/v1/hosts')).status).toBe(401);
});

test('the first token: rotated, not brought back by its file, and made anew where the file is removed', async () => {
  const [first] = (await server.admin(TOKENS)).json.tokens;
  expect((await server.admin(`${TOKENS}/${first.id}`, { method: 'DELETE' })).status).toBe(409);
  const { token } = await make({ name: 'root', role: 'admin' });
  expect((await as(token, `${TOKENS}/${first.id}`, { method: 'DELETE' })).status).toBe(204);
  await server.restart();
  expect((await server.admin('/api/v1/hosts')).status).toBe(401);
  expect((await as(token, '/api/v1/hosts')).status).toBe(200);
  const file = join(server.dataDir, 'admin.token');
  rmSync(file);
  await server.restart();
  const renewed = readFileSync(file, 'utf8').trim();
  expect(server.running.newAdminToken).toBe(renewed);
  expect((await as(renewed, TOKENS)).status).toBe(200);
  writeFileSync(file, '\n');
  await expect(server.restart()).rejects.toThrow(/admin.token in the data folder is empty/);
  writeFileSync(file, renewed);
  await server.restart();
});
