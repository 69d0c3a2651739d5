import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { ask, newMac } from '../fixtures/running-server.ts';

/** A real server on a real filesystem of its own, mounted for it alone, that becomes full or that the kernel makes read only. */

const MIB = 2 ** 20;
/** Not quite: what the answer is kept for, and more, on a busy machine. */
const WAIT = { interval: 250 };

let folder: string;
let child: ChildProcess;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-disk-'));
});
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true });
});

type Server = {
  /** The filesystem, as this process sees it. */
  readonly disk: string;
  readonly boot: number;
  readonly tftpPort: number;
  readonly ready: () => Promise<{ status: number; checks: Record<string, { ok: boolean; detail?: string }> }>;
  readonly enrol: (mac: string) => ReturnType<typeof ask>;
  readonly status: (path: string) => Promise<number>;
};

/** @param mount a command that mounts a filesystem at "$1" */
async function serve(mount: string): Promise<Server> {
  const any = '127.0.0.1:0';
  const listens = ['--boot-listen', any, '--admin-listen', any, '--tftp-listen', any];
  const script = `mkdir "$1" && ${mount} && exec "$2" serve --data "$1/data" ${listens.join(' ')}`;
  const [at, program] = [join(folder, 'disk'), inCheckout('warmboot')];
  const args = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', at, program];
  child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'ignore'], cwd: folder });
  if (!child.stdout) throw new Error('no pipe');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { adminUrl, bootPort, tftpPort } = JSON.parse(line);
  const disk = `/proc/${child.pid}/root${at}`;
  const headers = { authorization: `Bearer ${readFileSync(`${disk}/data/admin.token`, 'utf8').trim()}` };
  return {
    disk,
    tftpPort,
    boot: bootPort,
    ready: async () => {
      const { status, json } = await ask(adminUrl, '/readyz');
      return { status, checks: json.checks };
    },
    enrol: (mac) => ask(adminUrl, '/api/v1/hosts', { headers, body: { macs: [mac] } }),
    status: async (path) => (await ask(adminUrl, path, { headers })).status,
  };
}

/** Leaves so much of it. */
function fill(disk: string, leftBytes: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'fill'), Buffer.alloc(bavail * bsize - leftBytes), { flag: 'a' });
}

test('a disk that fills up: 503 with the reason, writes are refused with it, and it goes on when there is room', async () => {
  const server = await serve('mount -t tmpfs -o size=96m none "$1"');
  const { disk, ready, enrol } = server;
  expect((await ready()).status).toBe(200);
  const kept = newMac();
  expect((await enrol(kept)).status).toBe(201);

  fill(disk, 40 * MIB);
  await expect.poll(async () => (await ready()).status, WAIT).toBe(503);
  const { checks } = await ready();
  expect(checks).toMatchObject({ database: { ok: true }, room: { ok: false } });
  expect(checks.room?.detail).toMatch(/^The disk of the data folder has \d\d MiB left\. Remove images/);
  // It still works as long as it can.
  expect((await enrol(newMac())).status).toBe(201);

  fill(disk, 0);
  await expect.poll(async () => (await ready()).checks.database?.ok, WAIT).toBe(false);
  expect((await ready()).checks.database?.detail).toMatch(/^The disk of the data folder is full/);
  const lost = newMac();
  const { status, json } = await enrol(lost);
  expect([status, json.detail]).toEqual([503, expect.stringMatching(/^The disk of the data folder is full/)]);
  // Nothing is lost, and what only reads goes on.
  expect(await server.status(`/api/v1/hosts/${kept}`)).toBe(200);
  expect(await server.status(`/api/v1/hosts/${lost}`)).toBe(404);

  rmSync(join(disk, 'fill'));
  await expect.poll(async () => (await ready()).status, WAIT).toBe(200);
  expect((await enrol(lost)).status).toBe(201);
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
});

test('a disk with an error, which the kernel makes read only: 503, writes are refused with the reason', async () => {
  const image = join(folder, 'ext4.img');
  execFileSync('truncate', ['-s', '200M', image]);
  execFileSync('mkfs.ext4', ['-q', image]);
  const server = await serve(`mount -o loop,errors=remount-ro ${image} "$1"`);
  const kept = newMac();
  expect((await server.enrol(kept)).status).toBe(201);
  const mounts = readFileSync(`/proc/${child.pid}/mounts`, 'utf8');
  const device = mounts.match(/^\/dev\/(\S+) \S*\/disk ext4/m)?.[1];
  writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, 'a test');
  await expect.poll(async () => (await server.ready()).status, WAIT).toBe(503);
  const { checks } = await server.ready();
  expect(checks.database?.detail).toMatch(
    /^The disk of the data folder cannot be written \((SQLITE|E)\w+: .*Look at it/,
  );
  const { status, json } = await server.enrol(newMac());
  expect([status, json.detail]).toEqual([503, expect.stringMatching(/cannot be written/)]);
  expect(await server.status(`/api/v1/hosts/${kept}`)).toBe(200);
});

test('TFTP has lost its port: 503 with what to do', async () => {
  const { ready, tftpPort } = await serve('mount -t tmpfs -o size=96m none "$1"');
  expect((await ready()).status).toBe(200);
  // The kernel takes the socket away, as for any port that was not asked for by number.
  execFileSync('ss', ['-K', '-u', '-a', 'src', `127.0.0.1:${tftpPort}`]);
  await expect.poll(async () => (await ready()).status, WAIT).toBe(503);
  const { listeners } = (await ready()).checks;
  expect(listeners?.detail).toBe(`TFTP has lost its UDP port ${tftpPort}. Start the server again.`);
});
