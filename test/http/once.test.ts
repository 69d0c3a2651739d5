import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const KEY = '"8e03978e-40d5-43e8-bc93-6894a57f9324"';
let keys = 0;
const newKey = () => `"key-${++keys}"`;
const post = (path: string, key: string, body?: object, more: Record<string, string> = {}) =>
  server.admin(path, { method: 'POST', ...(body && { body }), headers: { 'idempotency-key': key, ...more } });
const attempts = async (mac: string) =>
  (await server.admin(`/api/v1/hosts/${mac}/attempts`)).json.attempts.length;

test('enrolling twice with one key enrols once, and is answered alike, also after a restart', async () => {
  const body = { macs: [newMac()], image: 'one' };
  const first = await post('/api/v1/hosts', KEY, body);
  const again = await post('/api/v1/hosts', KEY, body);
  await server.restart();
  const later = await post('/api/v1/hosts', KEY, body);
  expect([first.status, first.headers['idempotency-replayed']]).toEqual([201, undefined]);
  for (const same of [again, later]) {
    expect([same.status, same.text]).toEqual([201, first.text]);
    expect(same.headers).toMatchObject({
      'idempotency-replayed': 'true',
      'content-type': first.headers['content-type'],
    });
  }
});

test('a reinstall that is sent again begins no second attempt', async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const key = newKey();
  const answers = [];
  for (let time = 0; time < 3; time += 1) answers.push(await post(`/api/v1/hosts/${mac}/reinstall`, key, {}));
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(await attempts(mac)).toBe(2);
  await post(`/api/v1/hosts/${mac}/reinstall`, newKey(), {});
  expect(await attempts(mac)).toBe(3);
});

test('many at the same time: one is carried out, the others wait or are told to', async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const key = newKey();
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => post(`/api/v1/hosts/${mac}/reinstall`, key, {})),
  );
  expect(answers.map(({ status }) => status).filter((status) => ![202, 409].includes(status))).toEqual([]);
  expect(await attempts(mac)).toBe(2);
});

test('another body, or another path, under the same key is 422', async () => {
  const key = newKey();
  expect((await post('/api/v1/hosts', key, { macs: [newMac()] })).status).toBe(201);
  const other = await post('/api/v1/hosts', key, { macs: [newMac()] });
  expect([other.status, other.json.detail]).toEqual([422, expect.stringContaining('another request')]);
  expect((await post(`/api/v1/hosts/${newMac()}/retry`, key)).status).toBe(422);
});

test('what was refused is tried again', async () => {
  const [key, mac] = [newKey(), newMac()];
  expect((await post(`/api/v1/hosts/${mac}/reinstall`, key, {})).status).toBe(404);
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  expect((await post(`/api/v1/hosts/${mac}/reinstall`, key, {})).status).toBe(202);
});

test('a token that was made is not shown twice: its secret is kept nowhere', async () => {
  const [key, body] = [newKey(), { name: 'once', role: 'viewer' }];
  const made = await post('/api/v1/tokens', key, body);
  expect(made.status).toBe(201);
  const again = await post('/api/v1/tokens', key, body);
  expect([again.status, again.json.detail]).toEqual([409, expect.stringContaining('carried out already')]);
  const { tokens } = (await server.admin('/api/v1/tokens')).json;
  expect(tokens.filter(({ name }: { name: string }) => name === 'once').length).toBe(1);
});

test.each(['""', '"a b"', '"ä"', `"${'x'.repeat(256)}"`, '"x'])('%s is no key: 400', async (key) => {
  const answer = await post('/api/v1/hosts', Buffer.from(key).toString('latin1'), { macs: [newMac()] });
  expect(answer.status).toBe(400);
});

test('a key without quotation marks is the same key', async () => {
  const body = { macs: [newMac()] };
  expect((await post('/api/v1/hosts', '"plain"', body)).status).toBe(201);
  expect((await post('/api/v1/hosts', 'plain', body)).headers['idempotency-replayed']).toBe('true');
});
