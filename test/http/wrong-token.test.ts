import { afterAll, beforeAll, expect, test } from 'vitest';
import { saidInventory } from '../fixtures/inventories.ts';
import { Machine } from '../fixtures/machine.ts';
import { type Ask, runningServer, type TestServer } from '../fixtures/running-server.ts';

/** A host whose token the server does not know, as after a restore: what an operator is told of it. */

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const installed = async () => (await new Machine(server).enrol()).installed();
const shown = (mac: string) => server.admin(`/api/v1/hosts/${mac}`);
/** The same through both. */
const hint = async (mac: string): Promise<string | null> => {
  const next = (await server.admin(`/api/v1/hosts/${mac}/next`)).json.hint;
  expect((await shown(mac)).json.next.hint).toBe(next);
  return next;
};
const withToken = (token: string): Ask => ({ headers: { authorization: token && `Bearer ${token}` } });
const WRONG = withToken('made-after-the-backup-0123456789');

test.each<[string, (of: Machine) => Ask]>([
  ['manifest', () => ({})],
  ['layout?bytes=6442450944&sector=512', () => ({})],
  ['reports', (of) => ({ body: of.next({ kind: 'inventory' }) })],
  ['inventory', () => ({ body: saidInventory() })],
])(
  'another token asks for its %s: it is said who, since when, and what to do; the right one takes it away',
  async (path, how) => {
    const host = await installed();
    expect(await hint(host.mac)).toBeNull();
    expect((await host.ask(path, { ...how(host), ...WRONG })).status).toBe(401);
    expect(await hint(host.mac)).toMatch(
      new RegExp(
        `^its last word, at \\d{4}-\\S+Z from 127\\.0\\.0\\.1, came with a token that this server does not know: it gets 401\\. .*warmboot release ${host.mac}, then warmboot reinstall ${host.mac}\\. It may be a stranger`,
      ),
    );
    expect((await host.ask('manifest')).status).toBe(200);
    expect(await hint(host.mac)).toBeNull();
  },
);

test('it is telemetry: no event, no other revision, no other ETag, and gone with the server', async () => {
  const host = await installed();
  const events = async () => (await server.admin(`/api/v1/events?host=${host.mac}`)).json.events.length;
  const [before, count] = [await shown(host.mac), await events()];
  await host.ask('manifest', WRONG);
  const after = await shown(host.mac);
  expect([after.headers.etag, after.json.revision, await events()]).toEqual([
    before.headers.etag,
    before.json.revision,
    count,
  ]);
  expect(await hint(host.mac)).not.toBeNull();
  await server.restart();
  expect(await hint(host.mac)).toBeNull();
});

test('who has no token cannot hide it; who has a wrong one can hide no order', async () => {
  const host = await installed();
  await host.ask('manifest', WRONG);
  await host.ask('manifest', withToken(''));
  await host.ask('manifest', withToken('no token at all'));
  expect(await hint(host.mac)).toMatch(/does not know/);
  await server.admin(`/api/v1/hosts/${host.mac}/os`, { method: 'PUT', body: { image: 'two' } });
  const { json } = await server.admin(`/api/v1/hosts/${host.mac}/next`);
  expect(json).toMatchObject({ action: 'stage', hint: expect.stringContaining('It may be a stranger') });
});

test('after a release a reinstall is what is left; once that is ordered all is said by it', async () => {
  const host = await installed();
  await server.admin(`/api/v1/hosts/${host.mac}/release`, { body: {} });
  await host.ask('manifest');
  expect(await hint(host.mac)).toMatch(
    new RegExp(`came with a token that was taken away: .*machine itself: warmboot reinstall ${host.mac}\\.`),
  );
  await server.admin(`/api/v1/hosts/${host.mac}/reinstall`, { body: {} });
  await host.ask('manifest');
  expect(await hint(host.mac)).toBeNull();
});

test('a host that was never claimed, one that is retired, and a MAC that none has: no token is wrong', async () => {
  const host = await new Machine(server).enrol({});
  await host.ask('manifest', WRONG);
  expect(await hint(host.mac)).toBeNull();
  const retired = await installed();
  await server.admin(`/api/v1/hosts/${retired.mac}/retire`, { body: {} });
  expect((await retired.ask('manifest', WRONG)).status).toBe(401);
  expect(await hint(retired.mac)).toBeNull();
  await server.boot('/boot/hosts/52:54:00:99:99:99/manifest', WRONG);
  const { json } = await server.admin('/api/v1/hosts/52:54:00:99:99:99/next');
  expect(json).toMatchObject({ isKnown: false, hint: null });
});
