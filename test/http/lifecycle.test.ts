import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const post = (mac: string, what: string, body: object = {}) =>
  server.admin(`/api/v1/hosts/${mac}/${what}`, { method: 'POST', body });
const enrolled = async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { method: 'POST', body: { macs: [mac], image: 'one' } });
  return mac;
};

test('a host is held with a reason, and goes on when it is resumed; a restart keeps it', async () => {
  const mac = await enrolled();
  expect((await post(mac, 'hold', { reason: 'new memory' })).json).toMatchObject({
    state: 'hold',
    held: 'new memory',
    next: { action: 'hold', reason: 'held: new memory', until: 'an operator resumes it' },
  });
  await server.restart();
  const next = await server.admin(`/api/v1/hosts/${mac}/next`);
  expect(next.json).toMatchObject({ action: 'hold', until: 'an operator resumes it' });
  expect((await server.boot(`/boot/hosts/${mac}/manifest`)).json).toMatchObject({ action: 'hold' });
  expect((await post(mac, 'resume')).json).toMatchObject({ held: null, next: { action: 'install' } });
});

test('a retired host is told nothing, and comes back by approval', async () => {
  const mac = await enrolled();
  expect((await post(mac, 'retire')).json).toMatchObject({ state: 'retired', image: null, claimed: false });
  expect((await server.boot(`/boot/hosts/${mac}/manifest`)).status).toBe(401);
  expect((await post(mac, 'retry')).status).toBe(409);
  expect((await post(mac, 'rollback')).json).toMatchObject({ status: 409 });
  expect((await post(mac, 'approve', { image: 'two' })).json).toMatchObject({ state: 'approved' });
});

test('what cannot be is refused: an unknown host, a reason that is too long, nothing to go back to', async () => {
  expect((await post(newMac(), 'retire')).status).toBe(404);
  const mac = await enrolled();
  expect((await post(mac, 'hold', { reason: 'x'.repeat(257) })).status).toBe(400);
  const { status, json } = await post(mac, 'rollback');
  expect([status, json.detail]).toEqual([409, expect.stringContaining('nothing to go back to')]);
  expect((await server.admin(`/api/v1/hosts/${mac}/rollback`)).json).toEqual(json);
});
