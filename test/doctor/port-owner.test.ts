import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { portOwner } from '../../server/doctor/port-owner.ts';

let proc: string;
beforeEach(async () => {
  proc = await mkdtemp(join(tmpdir(), 'warmboot-proc-'));
  await mkdir(join(proc, 'net'));
  const line =
    '  1: 00000000:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 41523 2 0 0\n';
  await writeFile(join(proc, 'net/udp'), `heading\n${line}`);
});
afterEach(() => rm(proc, { recursive: true }));

async function process(pid: number, name: string, ...targets: string[]) {
  await mkdir(join(proc, String(pid), 'fd'), { recursive: true });
  await writeFile(join(proc, String(pid), 'comm'), `${name}\n`);
  for (const [fd, target] of targets.entries())
    await symlink(target, join(proc, String(pid), 'fd', String(fd)));
}

test('the process whose descriptor is that socket', async () => {
  await process(1, 'init', 'socket:[1]', '/dev/null');
  await process(812, 'in.tftpd', '/dev/null', 'socket:[41523]');
  expect(await portOwner('udp', 69, proc)).toEqual({ pid: 812, name: 'in.tftpd' });
});

test('nobody listens, or nobody can be named', async () => {
  await process(1, 'init', 'socket:[1]');
  expect(await portOwner('udp', 69, proc)).toBeNull();
  expect(await portOwner('udp', 70, proc)).toBeNull();
  expect(await portOwner('tcp', 69, proc)).toBeNull();
});
