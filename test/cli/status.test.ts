import { expect, test } from 'vitest';
import { HOST_STATES } from '../../server/core/host-state.ts';
import { adminServer } from './admin-server.ts';
import { NOW, run } from './run.ts';

const hosts = Object.fromEntries(HOST_STATES.map((state) => [state, 0]));
const status = (facts: object) => ({
  version: '1.2.3',
  schema: 20,
  startedAt: NOW - 7_500_000,
  ready: true,
  checks: { process: { ok: true }, room: { ok: true } },
  hosts: { ...hosts, active: 38, failed: 2 },
  openAttempts: 1,
  rollouts: [],
  transfers: { active: 3, waiting: 0, refused: 9 },
  images: { count: 4, storedBytes: 3 * 2 ** 30, freeBytes: 200 * 2 ** 30 },
  boot: {
    url: 'http://10.0.0.1:8080',
    tftp: { host: '0.0.0.0', port: 69, transfers: 2 },
    proxyDhcp: { interfaces: ['eth0', 'eth1'], relayed: true },
  },
  ...facts,
});

test('all is well', async () => {
  const server = await adminServer({ 'GET /api/v1/status': () => status({}) });
  const { code, stdout, stderr } = await run(['status', '--server', server.url]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatchInlineSnapshot(`
    "server     Warmboot 1.2.3, schema 20, up for 2 h 5 min
    ready      yes
    hosts      40, 38 active, 2 failed
    attempts   1 open
    rollouts   0 not over
    transfers  3 by HTTP, 2 by TFTP
    images     4, 3.0 GiB on the disk, 200 GiB left
    boot       http://10.0.0.1:8080
    TFTP       0.0.0.0:69
    proxyDHCP  eth0, eth1, relayed
    "
  `);
});

test('not ready: the reasons, and exit code 1; rollouts have a table of their own', async () => {
  const facts = {
    ready: false,
    checks: { process: { ok: true }, room: { ok: false, detail: 'The disk is full.' } },
    rollouts: [
      { id: 'r1', name: null, status: 'running', reason: '', wave: 2, waveCount: 4 },
      { id: 'r2', name: 'web', status: 'paused', reason: 'too many\n failed', wave: 1, waveCount: 1 },
    ],
    transfers: { active: 0, waiting: 5, refused: 9 },
    boot: null,
  };
  const server = await adminServer({ 'GET /api/v1/status': () => status(facts) });
  const { code, stdout } = await run(['status', '--server', server.url]);
  expect(code).toBe(1);
  expect(stdout).toMatchInlineSnapshot(`
    "server     Warmboot 1.2.3, schema 20, up for 2 h 5 min
    ready      no
      room     The disk is full.
    hosts      40, 38 active, 2 failed
    attempts   1 open
    rollouts   2 not over
    transfers  0 by HTTP, 5 hosts wait for their turn, 0 by TFTP
    images     4, 3.0 GiB on the disk, 200 GiB left
    boot       off
    TFTP       off
    proxyDHCP  off

    ROLLOUT  NAME  STATUS   WAVE  REASON
    r1       -     running  2/4   -
    r2       web   paused   1/1   too many  failed
    "
  `);
  const json = await run(['status', '--json', '--server', server.url]);
  expect([json.code, JSON.parse(json.stdout)]).toEqual([1, status(facts)]);
});

test('no server runs: that is said, and none is started for it', async () => {
  const { code, stderr } = await run(['status']);
  expect(code).toBe(1);
  expect(stderr).toBe(
    'warmboot: no server runs on the data folder ./data, and only one that runs has a status. Start one with `warmboot serve`, or name it with --server.\n',
  );
});
