import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { Api } from '../../lab/api.ts';
import type { HostView } from '../../lab/feed.ts';
import { inCheckout } from '../../lab/paths.ts';
import { ask, runningServer } from '../fixtures/running-server.ts';
import { type ImageName, PAYLOAD, powerCutImage } from './payload.ts';

/**
 * Runs beside the machine of machine.sh: a server, and what an operator orders of the machine, each when the one before was done.
 * An install, a switch by kexec, one through the firmware, a power-on, and a way back by hand: all ways in which a host writes its own disk.
 */

const MAC = '52:54:00:00:00:01';
const PATIENCE_MS = 240_000;

const [imagesDir = ''] = process.argv.slice(2);
const server = await runningServer(() => ({ imagesDir }));
const store = (name: ImageName) => powerCutImage(server.dataDir, name, join(imagesDir, PAYLOAD));
const api = new Api({ adminUrl: server.running.adminUrl, token: server.token });
try {
  const first = await store('first');
  await call('POST', '/api/v1/hosts', { macs: [MAC], image: first.digest, layout: 'tiny' });
  put('/run/server', server.running.boot?.url ?? '');
  await runs(first.digest, 'a');
  const second = await store('second');
  await api.assign(MAC, second.digest);
  await runs(second.digest, 'b');
  await call('PATCH', `/api/v1/hosts/${MAC}`, { switch: 'reboot' });
  const third = await store('third');
  await api.assign(MAC, third.digest);
  const before = await runs(third.digest, 'a');
  powerCycle();
  const left = await runs(third.digest, 'a', before);
  await rollBack('b');
  await runs(second.digest, 'b', left, 'hold');
  put('/run/done', 'all orders were carried out');
} catch (error) {
  put('/run/done', `gave up: ${error}`);
}
endSystem();
process.exit();

/** Waits until it has confirmed, and has told GRUB that its boot was a good one. @returns the boot id */
async function runs(digest: string, slot: string, before = '', wanted = 'active'): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS;
  let host: HostView | undefined;
  while (Date.now() < deadline) {
    host = await api.host(MAC);
    const { state, observation: seen } = host;
    const isIt = seen?.environment === 'os' && seen.digest === digest && seen.default === slot;
    if (isIt && state === wanted && seen.bootId !== before && grubenv().includes(`tries_${slot}=3\n`))
      return seen.bootId;
    await sleep(200);
  }
  throw new Error(`no confirmed boot from slot ${slot}: ${JSON.stringify(host)}`);
}

function grubenv(): string {
  try {
    return readFileSync('/run/warmboot/boot/grub/grubenv', 'latin1');
  } catch {
    return '';
  }
}

async function call(method: string, path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${server.token}` };
  const { status, text } = await ask(server.running.adminUrl, path, { method, headers, body });
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
}

/** By a person at the console, whose shell ends with the system. */
async function rollBack(slot: string): Promise<void> {
  await execa('mark', [`back to ${slot}`]);
  const agent = inCheckout('images/agent/rootfs/usr/bin/warmboot-agent');
  const env = { WB_LIB: join(imagesDir, 'lib') };
  execa('sh', [agent, 'rollback', '--firmware', 'as', 'a', 'test'], { env, stdio: 'inherit', reject: false });
}

function powerCycle(): void {
  put('/run/left', 'reboot');
  endSystem();
}

function endSystem(): void {
  process.kill(-Number(readFileSync('/run/session', 'utf8')), 'SIGKILL');
}

/** Whole or not at all: the shell waits for it to be there. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, `${text}\n`);
  renameSync(`${path}.new`, path);
}
