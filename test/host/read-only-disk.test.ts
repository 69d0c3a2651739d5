import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import { FakeHost } from './shell.ts';

/** The agent itself in a system that its boot loader has started read-only. */

let server: TestServer;
let host: FakeHost;

beforeAll(async () => {
  server = await runningServer();
  host = new FakeHost();
});
afterAll(async () => {
  await server.close();
  host.remove();
});

test('it mounts its disk to be read alone, and the server shows why', async () => {
  const { mac, attempt, token } = await (await new Machine(server).enrol()).installed();
  host.isInstalled({ slot: 'a', digest: server.one.digest, attempt });
  host.write('proc/cmdline', 'root=PARTUUID=x rw warmboot.slot=a ro warmboot.disk=read-only\n');
  host.write('run/state/host', `${mac}\n`);
  host.write('run/state/token', `${token}\n`);
  await host.takeConfig(server.running.boot?.url ?? '');
  const agent = host.runAgent();

  const seen = async () => (await server.admin(`/api/v1/hosts/${mac}`)).json;
  await expect.poll(seen).toMatchObject({ state: 'active', observation: { slot: 'a', readOnly: true } });
  host.write('enough', '');
  await server.restart();
  await agent;

  const mounts = readFileSync(host.path('calls'), 'utf8').match(/^mount .*/gm) ?? [];
  expect(mounts.filter((line) => line.includes('ext4'))).toEqual([expect.stringContaining(' ro,noload,')]);
});
