import { expect, test } from 'vitest';
import { adminServer, problem } from './admin-server.ts';
import { host, MAC } from './records.ts';
import { run } from './run.ts';

test('labels of one host: some set, some taken away', async () => {
  const server = await adminServer({
    [`PATCH /api/v1/hosts/${encodeURIComponent(MAC)}`]: () => host({ labels: { rack: 'b7', empty: '' } }),
  });
  const args = ['--server', server.url, 'label', MAC, 'rack=b7', 'empty=', 'spare-', 'a-b=c=d-'];
  const { code, stdout, stderr } = await run(args);
  expect([code, stdout, stderr]).toEqual([0, `${MAC}: rack=b7 empty=\n`, '']);
  expect(server.asked[0]).toMatchObject({
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { labels: { rack: 'b7', empty: '', spare: null, 'a-b': 'c=d-' } },
  });
});

test('a selector means all hosts that fit it, on every page', async () => {
  const macs = Array.from({ length: 20 }, (_, number) => `52:54:00:00:01:${String(number + 10)}`);
  const pages = [macs.slice(0, 15), macs.slice(15)].map((part, page) => ({
    hosts: part.map((mac) => host({ mac })),
    next: page === 0 ? 'more' : null,
  }));
  const changes = macs.map((mac) => [
    `PATCH /api/v1/hosts/${encodeURIComponent(mac)}`,
    () => host({ mac, labels: {} }),
  ]);
  const server = await adminServer({
    'GET /api/v1/hosts': ({ path }) => pages[path.includes('cursor') ? 1 : 0],
    ...Object.fromEntries(changes),
  });
  const { code, stdout } = await run(['--server', server.url, '--json', 'label', 'rack in (b7, b8)', 'x-']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout).hosts.map(({ mac }: { mac: string }) => mac)).toEqual(macs);
  expect(server.asked[0]?.path).toBe('/api/v1/hosts?label=rack+in+%28b7%2C+b8%29');
});

test('a selector that nobody fits, and one that the server refuses', async () => {
  const server = await adminServer({ 'GET /api/v1/hosts': () => ({ hosts: [], next: null }) });
  const none = await run(['--server', server.url, 'label', 'rack=b9', 'x=1']);
  expect([none.code, none.stdout, none.stderr]).toEqual([0, '', 'No host is like that.\n']);
  server.routes['GET /api/v1/hosts'] = (_, response) =>
    problem(response, 400, 'The label selector cannot be read.');
  const bad = await run(['--server', server.url, 'label', 'rack=', '=', 'x=1']);
  expect(bad.code).toBe(2);
});

test.each([
  [[MAC, 'rack'], /"rack" is no label: write NAME=VALUE/],
  [[MAC, '=x'], /"=x" is no label/],
  [[MAC, '-'], /"-" is no label/],
  [['', 'x=1'], /selector is empty/],
  [[MAC], /missing required argument/],
])('wrong use: %j', async (args, words) => {
  const server = await adminServer({});
  const { code, stderr } = await run(['--server', server.url, 'label', ...args]);
  expect([code, server.asked]).toEqual([2, []]);
  expect(stderr).toMatch(words);
});
