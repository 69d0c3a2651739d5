import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { askTftp } from '../../server/tftp/ask.ts';

/** What `doctor` asks with, against somebody else's server: dnsmasq knows no port but 69, so it gets a loopback address of its own. */
const ADDRESS = '127.69.4.1';
let folder: string;
let dnsmasq: ChildProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warmboot-dnsmasq-'));
  await writeFile(join(folder, 'there'), 'x'.repeat(100_000));
  dnsmasq = spawn('dnsmasq', [
    ...[
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--user=root',
      '--pid-file',
      '--port=0',
      '--log-facility=-',
    ],
    ...['--bind-interfaces', `--listen-address=${ADDRESS}`, '--enable-tftp', `--tftp-root=${folder}`],
  ]);
  await once(dnsmasq.stderr ?? dnsmasq, 'data');
});
afterAll(async () => {
  dnsmasq.kill();
  await once(dnsmasq, 'exit');
  await rm(folder, { recursive: true });
});

test('dnsmasq gives a file, and says what it does not give', async () => {
  expect(await askTftp(ADDRESS, 69, 'there')).toBeNull();
  expect(await askTftp(ADDRESS, 69, 'away')).toMatch(/^it says: file .*away.* not found/);
});
