import { expect, test } from 'vitest';
import { adminServer, problem } from './admin-server.ts';
import { host, MAC } from './records.ts';
import { run } from './run.ts';

const args = (url: string) => ['--server', url, 'enrol', MAC];

test('a POST whose connection breaks off is sent once more, with the same key', async () => {
  let times = 0;
  const server = await adminServer({
    'POST /api/v1/hosts': (_, response) => {
      times += 1;
      return times === 1 ? void response.destroy() : host();
    },
  });
  expect((await run(args(server.url))).code).toBe(0);
  const keys = server.asked.map(({ headers }) => headers['idempotency-key']);
  expect(keys[0]).toMatch(/^"[0-9a-f-]{36}"$/);
  expect(keys).toEqual([keys[0], keys[0]]);
});

test('no more than once, and a refusal is no break', async () => {
  const server = await adminServer({ 'POST /api/v1/hosts': (_, response) => void response.destroy() });
  const { code, stderr } = await run(args(server.url));
  expect([code, server.asked.length]).toEqual([1, 2]);
  expect(stderr).toContain('the connection broke off');
  server.routes['POST /api/v1/hosts'] = (_, response) => problem(response, 409, 'It is enrolled already.');
  expect((await run(args(server.url))).stderr).toContain('enrolled already');
  expect(server.asked.length).toBe(3);
});

test('two commands have two keys', async () => {
  const server = await adminServer({ 'POST /api/v1/hosts': () => host() });
  await run(args(server.url));
  await run(args(server.url));
  expect(new Set(server.asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
});
