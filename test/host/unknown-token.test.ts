import { existsSync, readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import { FakeHost } from './shell.ts';

/** The agent itself, whose token its server does not know: after a restore, or when an operator took it away. */

let server: TestServer;
let host: FakeHost;
let agent: Promise<string>;

beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());
beforeEach(() => {
  host = new FakeHost();
});
afterEach(async () => {
  host.write('enough', '');
  // Lets go of the question that the agent may wait in.
  await server.restart();
  await agent;
  host.remove();
});

const read = (name: string) => (existsSync(host.path(name)) ? readFileSync(host.path(name), 'utf8') : '');

test('it keeps its reports and asks on; a reinstall is heard all the same, and it restarts into the installer', async () => {
  const { mac, attempt } = await (await new Machine(server).enrol()).installed();
  host.isInstalled({ slot: 'a', digest: server.one.digest, attempt });
  host.write('run/state/host', `${mac}\n`);
  host.write('run/state/token', 'made-after-the-backup-0123456789\n');
  await host.takeConfig(server.running.boot?.url ?? '');
  agent = host.runAgent();

  const post = (path: string) => server.admin(`/api/v1/hosts/${mac}/${path}`, { body: {} });
  const next = async () => (await server.admin(`/api/v1/hosts/${mac}/next`)).json;
  await expect.poll(async () => (await next()).hint).toMatch(/does not know: it gets 401/);
  await expect.poll(() => read('run/log')).toContain('reports wait for the server');

  expect((await post('release')).status).toBe(200);
  const order = (await post('reinstall')).json.attempt;
  await expect.poll(() => read('calls')).toContain('systemctl reboot');
  expect([read('run/state/netboot').trim(), (await next()).hint]).toEqual([`${order} 1`, null]);
}, 60_000);
