import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

const PATH = '/api/v1/mirrors';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const FRA = { name: 'fra', selector: 'site=fra', url: 'http://10.1.0.1:8080' };
const put = async (mirrors: unknown, etag?: string) =>
  server.admin(PATH, {
    method: 'PUT',
    body: { mirrors },
    headers: { ...(etag !== undefined && { 'if-match': etag }) },
  });
const etagNow = async () => (await server.admin(PATH)).headers.etag ?? '';

test('mirrors are set by edition, stay over a restart, and stand in the event log', async () => {
  expect((await server.admin(PATH)).json).toEqual({ mirrors: [] });
  const first = await etagNow();
  expect((await put([FRA])).status).toBe(428);
  const set = await put([FRA], first);
  expect([set.status, set.json]).toEqual([200, { mirrors: [FRA] }]);
  expect((await put([], first)).status).toBe(412);
  await server.restart();
  expect([(await server.admin(PATH)).json, await etagNow()]).toEqual([{ mirrors: [FRA] }, set.headers.etag]);
  const { events } = (await server.admin('/api/v1/events')).json;
  expect(events.at(-1)).toMatchObject({ kind: 'mirrors-changed', actor: 'operator', reason: 'fra' });
});

test.each([
  [{ ...FRA, url: 'ftp://10.1.0.1' }],
  [{ ...FRA, url: 'http://10.1.0.1/?a=b' }],
  [{ ...FRA, url: 'http://u:p@10.1.0.1' }],
  [{ ...FRA, url: "http://10.1.0.1/'$(id)" }],
  [{ ...FRA, url: 'http://10.1.0.1:8080/' }],
  [{ ...FRA, url: 'http://10.1.0.1:999999' }],
  [{ ...FRA, selector: 'site in fra' }],
  [{ ...FRA, name: '' }],
  [{ ...FRA, more: 1 }],
])('%o is refused', async (mirror) => {
  expect((await put([mirror], await etagNow())).status).toBe(400);
});

test('a name is given once', async () => {
  expect((await put([FRA, FRA], await etagNow())).status).toBe(400);
});

test('a host is told of it with its order, under the same serial, and not of another site’s', async () => {
  const hosts = [newMac(), newMac()];
  for (const [i, mac] of hosts.entries())
    await server.admin('/api/v1/hosts', {
      body: { macs: [mac], image: 'one', labels: { site: i === 0 ? 'ber' : 'ham' } },
    });
  const manifests = () =>
    Promise.all(hosts.map(async (mac) => (await server.boot(`/boot/hosts/${mac}/manifest`)).json));
  const before = await manifests();
  expect(before.map(({ mirror }) => mirror)).toEqual([null, null]);
  const url = 'https://mirror.ber.example/warmboot';
  expect((await put([FRA, { name: 'ber', selector: 'site=ber', url }], await etagNow())).status).toBe(200);
  const after = await manifests();
  expect(after).toEqual([{ ...before[0], mirror: url }, before[1]]);
  const text = await server.boot(`/boot/hosts/${hosts[0]}/manifest`, { headers: { accept: 'text/plain' } });
  expect(text.body.toString()).toContain(`\nMIRROR='${url}'\n`);
});
