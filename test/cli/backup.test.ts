import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RestoreOrder } from '../../server/cli/world.ts';
import { adminServer, problem } from './admin-server.ts';
import { run } from './run.ts';

const REPORT = {
  madeAt: Date.UTC(2026, 10, 25, 3),
  hosts: 3,
  attemptsEnded: 2,
  rolloutsPaused: 1,
  imagesMissing: 0,
  keptIn: 'data/before-x',
};
const FILE = { sizeBytes: 0, read: async () => new Uint8Array(0), close: async () => {} };

test('restore says what it did, where the old state is, and what to look at', async () => {
  const orders: RestoreOrder[] = [];
  const world = {
    openFile: async () => FILE,
    restore: async (order: RestoreOrder) => {
      orders.push(order);
      return REPORT;
    },
  };
  const { code, stdout, stderr } = await run(['restore', 'x.tar', '--data', 'data', '--replace'], world);
  expect([code, stdout]).toEqual([0, '']);
  expect(orders).toEqual([{ data: 'data', backup: FILE, replace: true }]);
  expect(stderr.trim().split('\n')).toEqual([
    'The backup of 2026-11-25T03:00:00.000Z is in data: 3 hosts. Start the server.',
    'What was there before is in data/before-x.',
    '2 open attempts ended as failed: warmboot hosts --state failed.',
    '1 rollout paused: warmboot rollout list.',
    'Tokens that were revoked since the backup are good again: warmboot token list.',
  ]);
  const json = await run(['restore', 'x.tar', '--data', 'data', '--json'], world);
  expect([JSON.parse(json.stdout), orders[1]?.replace]).toEqual([REPORT, false]);
});

test('restore is for a folder of this machine, never for a server', async () => {
  const { code, stderr } = await run(['restore', 'x.tar', '--server', 'http://127.0.0.1:1']);
  expect([code, stderr]).toEqual([2, expect.stringContaining('name it with --data, not --server')]);
});

test('backup is silent off a terminal, as long as nothing is wrong', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-cli-backup-'));
  try {
    let isBroken = false;
    const server = await adminServer({
      'POST /api/v1/backup': (_, response) => {
        if (isBroken) return problem(response, 409, 'Another backup is being made.');
        response.writeHead(200, { 'content-length': 5 });
        response.end('bytes');
      },
    });
    const file = join(folder, 'warmboot.tar');
    const argv = ['backup', file, '--server', server.url];
    expect(await run(argv)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(readFileSync(file, 'utf8')).toBe('bytes');
    const shown = await run(argv, { columns: 100 });
    expect(shown).toMatchObject({ code: 0, stdout: '' });
    expect(shown.stderr).toMatch(/\rbackup .*100%/s);
    expect(shown.stderr).toContain(`The backup is in ${file}. It holds keys and tokens`);
    isBroken = true;
    expect(await run(argv)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'warmboot: Another backup is being made.\n',
    });
    expect(readFileSync(file, 'utf8')).toBe('bytes');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
