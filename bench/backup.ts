/**
 * A backup of a large database, from a server that goes on answering: size, seconds, and how long a small request waits meanwhile, against
 * the same without a backup; then its restore. Usage: backup.ts [EVENTS [HOSTS]]
 */
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { restore } from '../server/app/restore.ts';
import { openFile } from '../server/cli/files.ts';
import { MIGRATIONS } from '../test/fixtures/running-server.ts';
import { fillStore } from './filled-store.ts';
import { Server } from './fleet/server.ts';
import { ask } from './fleet/wire.ts';
import { table, workspace } from './workspace.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const HOSTS = Number(process.argv[3] ?? 10_000);
const PROBE_EVERY_MS = 5;

await using space = await workspace();
const dataDir = join(space.folder, 'data');
mkdirSync(dataDir);
await fillStore(dataDir, EVENTS, HOSTS);
const server = new Server(dataDir);
await server.start();
const file = join(space.folder, 'backup.tar');
let backup: Awaited<ReturnType<typeof probed>>;
let idle: typeof backup;
try {
  await probed(() => pause(2_000));
  idle = await probed(() => pause(5_000));
  backup = await probed(takeBackup);
} finally {
  await server.close();
}
const bytes = await openFile(file, new AbortController().signal);
const began = performance.now();
const target = join(space.folder, 'restored');
await restore({ dataDir: target, migrationsDir: MIGRATIONS, backup: bytes, replace: false, now: Date.now() });
const restoreSeconds = (performance.now() - began) / 1000;
await bytes.close();

const rows = [
  [`${EVENTS} events, ${HOSTS} hosts`, 'idle', 'during the backup'],
  ['seconds', idle.seconds.toFixed(1), backup.seconds.toFixed(1)],
  ['requests', String(idle.count), String(backup.count)],
  ['p50, ms', idle.p50.toFixed(1), backup.p50.toFixed(1)],
  ['p99, ms', idle.p99.toFixed(1), backup.p99.toFixed(1)],
  ['slowest, ms', idle.most.toFixed(1), backup.most.toFixed(1)],
];
process.stdout.write(`${table(rows)}\n`);
process.stdout.write(
  `backup ${(bytes.sizeBytes / 2 ** 20).toFixed(0)} MiB, restore ${restoreSeconds.toFixed(1)} s, server's memory ${server.peakMib.toFixed(0)} MiB\n`,
);

async function takeBackup(): Promise<void> {
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  const answer = await fetch(`http://${server.adminAt.host}:${server.adminAt.port}/api/v1/backup`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{}',
  });
  if (!answer.ok || answer.body === null) throw new Error(`${answer.status} ${await answer.text()}`);
  await pipeline(Readable.fromWeb(answer.body as never), createWriteStream(file));
}

/** Asks for a small thing all the while. */
async function probed(task: () => Promise<unknown>) {
  const ms: number[] = [];
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      ms.push((await ask(server.adminAt, { method: 'GET', path: '/healthz', patienceMs: 60_000 })).ms);
      await pause(PROBE_EVERY_MS);
    }
  })();
  const from = performance.now();
  await task();
  const seconds = (performance.now() - from) / 1000;
  isOver = true;
  await asking;
  ms.sort((one, other) => one - other);
  const at = (share: number) => ms[Math.min(ms.length - 1, Math.floor(ms.length * share))] ?? 0;
  return { seconds, count: ms.length, p50: at(0.5), p99: at(0.99), most: ms.at(-1) ?? 0 };
}
