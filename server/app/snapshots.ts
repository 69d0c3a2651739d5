import { fork } from 'node:child_process';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { heldFile } from '../blobs/backup-files.ts';
import { DATABASE } from '../core/backup.ts';
import type { Snapshot, Snapshots } from '../core/backup-port.ts';
import { WarmbootError } from '../core/errors.ts';
import { childProgram } from '../lib/product.ts';
import type { SnapshotFacts } from '../store/snapshot.ts';
import { freeBytes } from './metering.ts';

/** What a copy of the database leaves of the disk to the database itself. */
const RESERVE_BYTES = 64 * 1024 * 1024;

/** Copies of the database for backups, in `DATA/backup.tmp` while they are sent. */
export function snapshotsOf(dataDir: string): Snapshots {
  const folder = backupFolder(dataDir);
  const source = path.join(dataDir, DATABASE);
  return {
    async take(signal): Promise<Snapshot> {
      signal.throwIfAborted();
      const { size } = await stat(source);
      if ((await freeBytes(dataDir)) < size + RESERVE_BYTES)
        throw new WarmbootError(
          'unavailable',
          `A backup needs room for a copy of the database (${Math.ceil(size / 1024 ** 2)} MiB) on the disk of the data folder, and there is less. Make room, then try again.`,
        );
      const copy = path.join(folder, DATABASE);
      const release = () => rm(folder, { recursive: true, force: true });
      await release();
      await mkdir(folder, { mode: 0o700 });
      try {
        const { bytes: _, sha256: __, digests, ...facts } = await copied(source, copy, signal);
        const file = await open(copy, 'r');
        const member = await heldFile(DATABASE, file);
        return {
          ...facts,
          digests,
          images: digests.length,
          member,
          release: async () => {
            await file.close();
            await release();
          },
        };
      } catch (error) {
        await release();
        throw error;
      }
    },
  };
}

/** Left by a server that was killed; removed at the next start. */
export function backupFolder(dataDir: string): string {
  return path.join(dataDir, 'backup.tmp');
}

/** In a process of its own, see `snapshot-child.ts`. */
function copied(from: string, to: string, signal: AbortSignal): Promise<SnapshotFacts> {
  const child = fork(childProgram('snapshot-child'), {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  return new Promise<SnapshotFacts>((resolve, reject) => {
    const fail = (why: string, code?: string) => {
      reject(Object.assign(new Error(`The database was not copied: ${why}.`), code && { code }));
    };
    child.on('error', (error) => fail(error.message));
    child.on('exit', (code, ended) => fail(`the process that does it ended (${ended ?? code})`));
    child.on('message', (told: { facts?: SnapshotFacts; failed?: string; code?: string }) => {
      if (told.facts) resolve(told.facts);
      else fail(told.failed ?? '', told.code);
    });
    child.send({ from: path.resolve(from), to: path.resolve(to) }, (error) => error && fail(error.message));
  }).finally(() => {
    signal.removeEventListener('abort', kill);
    kill();
  });
}
