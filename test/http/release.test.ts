import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { saidInventory } from '../fixtures/inventories.ts';
import { Machine } from '../fixtures/machine.ts';
import { type Ask, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const machine = () => new Machine(server).enrol();
const release = (mac: string, body: object = {}) => server.admin(`/api/v1/hosts/${mac}/release`, { body });
const host = async (mac: string) => (await server.admin(`/api/v1/hosts/${mac}`)).json;

/** Each way in which a host speaks for itself, with a body where it has one. */
const ROUTES: readonly [string, (machine: Machine) => Ask][] = [
  ['manifest', () => ({})],
  ['manifest?wait=1', () => ({ headers: { 'if-none-match': '"x"' } })],
  ['layout?bytes=6442450944&sector=512', () => ({})],
  ['reports', (of) => ({ body: of.next({ kind: 'inventory' }) })],
  ['inventory', () => ({ body: saidInventory() })],
];

describe('after a release', () => {
  test('nobody speaks for the host, until an install is claimed with a new token', async () => {
    const running = await (await machine()).installed();
    const old = running.token;
    const answer = await release(running.mac, { reason: 'the disk was sold' });
    expect([answer.status, answer.json.claimed]).toEqual([200, false]);
    for (const [path, how] of ROUTES)
      for (const token of [old, 'a-token-of-somebody-else', '']) {
        const asked = how(running);
        const refused = await running.ask(path, {
          ...asked,
          headers: { ...asked.headers, authorization: token && `Bearer ${token}` },
        });
        expect([path, token, refused.status]).toEqual([path, token, 401]);
        expect(refused.json.detail).toMatch(/Its next install makes another: order a reinstall/);
      }
    // It goes on running: nothing that it was told is taken back.
    expect(await host(running.mac)).toMatchObject({ state: 'active', next: { action: 'none' } });

    running.attempt = (
      await server.admin(`/api/v1/hosts/${running.mac}/reinstall`, { body: {} })
    ).json.attempt;
    expect((await running.ask('manifest')).json).toMatchObject({
      action: 'install',
      attempt: running.attempt,
    });
    expect((await running.claim(old)).status).toBe(409);
    running.token = 'the-new-token-0123456789';
    running.reboot();
    await running.installed();
    expect(await host(running.mac)).toMatchObject({ state: 'active', claimed: true });
    expect((await running.ask('manifest', { headers: { authorization: `Bearer ${old}` } })).status).toBe(401);

    const { json } = await server.admin(`/api/v1/events?host=${running.mac}`);
    const told = json.events.filter(({ kind }: { kind: string }) => /^claim-/.test(kind));
    expect(told).toMatchObject([
      { kind: 'claim-released', actor: 'operator', by: 'first', reason: 'the disk was sold' },
      { kind: 'claim-refused', actor: 'host', reason: expect.stringContaining('took this token away') },
    ]);
    expect(JSON.stringify(json)).not.toContain(old);
  });

  test('an install that a stranger had claimed is claimed by the machine', async () => {
    const real = await machine();
    expect((await real.claim('the-token-of-the-stranger')).status).toBe(201);
    expect((await real.claim()).status).toBe(409);
    await release(real.mac);
    expect((await real.ask('manifest', { headers: { authorization: '' } })).status).toBe(200);
    expect((await real.claim('the-token-of-the-stranger')).status).toBe(409);
    expect((await real.claim()).status).toBe(201);
    expect((await real.report({ kind: 'inventory' })).json).toMatchObject({ applied: true });
  });

  test('who waits with the old token is refused at once', async () => {
    const running = await (await machine()).installed();
    const etag = (await running.ask('manifest')).headers.etag ?? '';
    const waiting = running.ask('manifest?wait=60', { headers: { 'if-none-match': etag } });
    await release(running.mac);
    expect((await waiting).status).toBe(401);
  });

  test('it lasts across a restart of the server', async () => {
    const running = await (await machine()).installed();
    await release(running.mac);
    await server.restart();
    expect((await running.ask('manifest')).status).toBe(401);
  });
});

test('there is nothing to release of a host without a token, or twice', async () => {
  const bare = await machine();
  expect((await release(bare.mac)).status).toBe(409);
  await bare.claim();
  expect((await release(bare.mac)).status).toBe(200);
  expect((await release(bare.mac)).status).toBe(409);
  expect((await release('52:54:00:ff:ff:01')).status).toBe(404);
  expect((await release('x')).status).toBe(400);
  expect((await release(bare.mac, { reason: 'x'.repeat(501) })).status).toBe(400);
});

test('two operators release and reinstall at once: one order after the other', async () => {
  const running = await (await machine()).installed();
  const answers = await Promise.all([
    release(running.mac),
    server.admin(`/api/v1/hosts/${running.mac}/reinstall`, { body: {} }),
    release(running.mac),
  ]);
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 202, 409]);
  expect(await host(running.mac)).toMatchObject({
    claimed: false,
    attempt: { kind: 'install', phase: 'pending' },
  });
});

test('a host speaks for itself alone: each route with another host’s token', async () => {
  const [one, other] = [await (await machine()).installed(), await (await machine()).installed()];
  const before = await host(one.mac);
  for (const [path, how] of ROUTES) {
    const asked = how(one);
    const headers = { ...asked.headers, authorization: `Bearer ${other.token}` };
    const refused = await one.ask(path, { ...asked, headers });
    expect([path, refused.status, refused.headers['www-authenticate']]).toEqual([path, 401, 'Bearer']);
  }
  expect((await one.claim(other.token)).status).toBe(409);
  const { lastSeen: _, ...after } = await host(one.mac);
  expect(after).toEqual({ ...before, lastSeen: undefined });
});
