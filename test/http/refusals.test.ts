import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

test('a disk without slot a is refused alike on both planes', async () => {
  const query = 'two-slots.img?b=one';
  for (const { status, json } of [
    await server.boot(`/boot/disks/${query}`),
    await server.admin(`/api/v1/disks/${query}`),
  ])
    expect([status, json.detail]).toEqual([422, 'Say which image slot a shall hold: a=NAME[:TAG].']);
});

test('a slot that is named twice is no guess', async () => {
  for (const { status, json } of [
    await server.boot('/boot/disks/two-slots.img?a=one&a=two'),
    await server.admin('/api/v1/disks/two-slots.img?a=one&a=two'),
  ])
    expect([status, json.detail]).toEqual([400, expect.stringContaining('given more than once')]);
});

test('a body of another type: the status and its title', async () => {
  const { status, json } = await server.admin('/api/v1/hosts', {
    body: '<host/>',
    headers: { 'content-type': 'application/xml' },
  });
  expect([status, json.title]).toEqual([415, 'Unsupported Media Type']);
  expect(json.detail).toBe(
    'The body is of type application/xml, and this takes JSON. Send it with "Content-Type: application/json".',
  );
  const none = await server.admin('/api/v1/hosts', { body: Buffer.from('{}'), method: 'POST' });
  expect([none.status, none.json.detail]).toEqual([415, expect.stringContaining('of no type')]);
});

test('a list where an object is asked for is no repetition', async () => {
  const body = { macs: [newMac()], labels: [['a', 'b']] };
  const { status, json } = await server.admin('/api/v1/hosts', { body });
  expect([status, json.detail]).toEqual([400, 'The request cannot be taken: labels: is no object.']);
});

describe('a method that an address does not take', () => {
  test.each([
    ['POST', '/api/v1/hosts/52:54:00:00:00:01/os', 'PUT'],
    ['OPTIONS', '/api/v1/hosts', 'GET, HEAD, POST'],
    ['DELETE', '/healthz', 'GET, HEAD'],
    ['TRACE', '/api/v1/session', 'DELETE, GET, HEAD, POST'],
    ['DELETE', '/api/v1/openapi.json', 'GET, HEAD'],
  ])('%s %s: 405 with those that it takes', async (method, path, allow) => {
    const { status, headers, json } = await server.admin(path, { method });
    expect([status, headers.allow, headers['content-type']]).toEqual([
      405,
      allow,
      'application/problem+json',
    ]);
    expect(json.detail).toBe(`${method} is not for ${path} on the admin plane, which takes ${allow}.`);
  });
  test.each([
    ['GET', '/boot/hosts/52:54:00:00:00:01/claims', 'POST'],
    ['DELETE', '/boot.ipxe', 'GET, HEAD'],
  ])('nor on the boot plane: %s %s', async (method, path, allow) => {
    const { status, headers } = await server.boot(path, { method });
    expect([status, headers.allow]).toEqual([405, allow]);
  });
  test('what is nowhere stays 404', async () => {
    const { status, headers } = await server.admin('/api/v1/hostsx', { method: 'DELETE' });
    expect([status, headers.allow]).toEqual([404, undefined]);
    expect((await server.boot('/bootXipxe')).status).toBe(404);
  });
});
