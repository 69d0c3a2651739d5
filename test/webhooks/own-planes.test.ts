import { afterAll, beforeAll, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

test('a webhook that leads to the server itself gets no further than a stranger', async () => {
  const host = await new Machine(server).enrol();
  const at = `/api/v1/hosts/${host.mac}`;
  const before = (await server.admin(at)).json;
  const { adminUrl, boot } = server.running;
  const byName = adminUrl.replace('127.0.0.1', 'localhost');
  const told: [string, number][] = [];
  for (const url of [
    `${adminUrl}${at}/reinstall`,
    `${adminUrl.replace('127.0.0.1', '[::ffff:127.0.0.1]')}/api/v1/tokens`,
    `${byName}/api/v1/session`,
    `${boot?.url}/boot/hosts/${host.mac}/reports`,
    `${boot?.url}/boot/hosts/${host.mac}/claims`,
    `${boot?.url}/boot/hosts/${host.mac}/inventory`,
  ]) {
    const { json } = await server.admin('/api/v1/webhooks', { body: { url, enabled: false } });
    const sent = await server.admin(`/api/v1/webhooks/${json.id}/test`, { method: 'POST' });
    told.push([new URL(url).pathname.split('/').at(-1) ?? '', sent.json.status]);
    // What was answered is told in no more than its status.
    expect(Object.keys(sent.json).toSorted()).toEqual(['error', 'isTaken', 'status', 'tookMs']);
  }
  expect(told).toEqual([
    ['reinstall', 401],
    ['tokens', 401],
    ['session', 400],
    ['reports', 400],
    ['claims', 400],
    ['inventory', 400],
  ]);
  expect((await server.admin(at)).json).toEqual({ ...before, lastSeen: expect.anything() });
});
