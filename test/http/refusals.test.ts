import { afterAll, beforeAll, expect, test } from 'vitest';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

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
});
