import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restoreInto, serveRestored } from '../fixtures/restored.ts';
import { ask, MIGRATIONS, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

/** A restore that is killed, at each of its steps. */

const ROOT = join(import.meta.dirname, '../..');

let server: TestServer;
let dir: string;
let folders = 0;
/** Of the server with three hosts. */
let good: Buffer;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-restore-killed-'));
  server = await runningServer();
  for (let at = 0; at < 3; at += 1)
    await server.admin('/api/v1/hosts', { body: { macs: [newMac()], image: 'one' } });
  good = (await server.admin('/api/v1/backup', { body: { images: true } })).body;
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const folder = () => {
  folders += 1;
  return join(dir, `data-${folders}`);
};

/** Restores in a process of its own, which kills itself before a step. @returns whether it came so far */
async function killedBefore(
  step: number,
  data: string,
  file: string,
  replace: boolean,
): Promise<string | null> {
  const program = `
    import { readFileSync } from 'node:fs';
    import { restore } from './server/app/restore.ts';
    const [data, file, migrationsDir, step, replace] = process.argv.slice(1);
    const all = readFileSync(file);
    let steps = 0;
    await restore({
      dataDir: data, migrationsDir, replace: replace === 'true', now: Date.now(),
      backup: { sizeBytes: all.length, read: async (start, end) => all.subarray(start, end) },
      onStep: (name) => {
        if (++steps < Number(step)) return;
        process.stdout.write(name);
        process.kill(process.pid, 'SIGKILL');
      },
    });`;
  const args = ['--input-type=module', '-e', program];
  const child = spawn(process.execPath, [...args, data, file, MIGRATIONS, String(step), String(replace)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  const [code, signal] = await once(child, 'close');
  if (signal === 'SIGKILL') return said;
  expect(code).toBe(0);
  return null;
}

describe.each([true, false])('killed before any step, something was there: %s', (isFull) => {
  test('the next start has the old state or the new one, whole, and never an empty database', async () => {
    const file = join(dir, `backup-${isFull}.tar`);
    writeFileSync(file, good);
    const headers = { authorization: `Bearer ${server.token}` };
    // The old state: the same server, with a host more.
    const old = folder();
    await restoreInto(old, good);
    const mac = newMac();
    let running = await serveRestored(old);
    await ask(running.adminUrl, '/api/v1/hosts', { headers, body: { macs: [mac] } });
    await running.close();
    const seen = new Map<string, string>();
    for (let step = 1; ; step += 1) {
      const data = folder();
      if (isFull) cpSync(old, data, { recursive: true });
      const name = await killedBefore(step, data, file, isFull);
      if (name === null) break;
      let state: string;
      try {
        running = await serveRestored(data);
        const hosts = (await ask(running.adminUrl, '/api/v1/hosts', { headers })).json.hosts.length;
        const { damage } = (await ask(running.adminUrl, '/api/v1/store/verify', { headers, method: 'POST' }))
          .json;
        await running.close();
        expect([name, damage]).toEqual([name, []]);
        state = hosts === 4 ? 'old' : hosts === 3 ? 'new' : `${hosts} hosts`;
        expect(existsSync(join(data, 'restore.tmp')), name).toBe(false);
      } catch (error) {
        state = (error as Error).message;
      }
      seen.set(name, state);
      if (state.includes('cut off')) {
        // As it says: run it again.
        expect((await restoreInto(data, good)).hosts, name).toBe(3);
      }
      rmSync(data, { recursive: true });
    }
    const before = [...seen].filter(([, state]) => state !== 'new').map(([name]) => name);
    expect(before).toEqual([
      'begin',
      'unpack',
      'keep keys',
      'check the database',
      'bring the database up to date',
      'sync',
      'order',
    ]);
    const states = before.slice(1).map((name) => seen.get(name));
    for (const state of states) expect(state).toMatch(isFull ? /^old$/ : /cut off before it was complete/);
    expect([...seen.keys()]).toContain('place warmboot.db');
    expect([...seen.keys()].includes('put warmboot.db aside')).toBe(isFull);
  });
});
