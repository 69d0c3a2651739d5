import { copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { ensureFolder, syncFile, syncFolder } from '../blobs/atomic.ts';
import { imageFolder, packPath } from '../blobs/places.ts';
import { afterRestore, type RestoreSummary } from '../control/after-restore.ts';
import { type BackupNote, DATABASE } from '../core/backup.ts';
import { explained } from '../core/disk-trouble.ts';
import { WarmbootError } from '../core/errors.ts';
import { PATIENCE } from '../core/patience.ts';
import { keyFileName, openKeyring } from '../keys/keyring.ts';
import { lockData } from '../store/data-lock.ts';
import { checkDatabase, newestSchema, openDatabase, standAlone } from '../store/database.ts';
import { sqliteStore } from '../store/store.ts';
import {
  finishRestore,
  giveToOwner,
  type OnStep,
  orderRestore,
  restoreFolder,
  stateIn,
} from './finish-restore.ts';
import { type BackupBytes, unpackBackup } from './unpack-backup.ts';

export type RestoreOptions = {
  readonly dataDir: string;
  readonly migrationsDir: string;
  readonly backup: BackupBytes;
  /** What the folder holds is put aside. */
  readonly replace: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly onStep?: OnStep;
};

export type Restore = RestoreSummary & {
  readonly note: BackupNote;
  /** Folder in which the old state is kept; null: there was none. */
  readonly keptIn: string | null;
};

/**
 * Puts a backup into a data folder on which no server works. All of it is made and checked beside what is there; until the last moment
 * nothing of that is touched.
 * @throws WarmbootError when a server works there, when there is something and `replace` was not said, and for what is no whole backup
 */
export async function restore(options: RestoreOptions): Promise<Restore> {
  const { dataDir, replace, now, onStep = () => {} } = options;
  await ensureFolder(dataDir, 0o700);
  const unlock = lockData(path.join(dataDir, 'lock.db'));
  if (!unlock)
    throw new WarmbootError(
      'unavailable',
      `A Warmboot works in ${dataDir}: stop it first, then restore. Or choose another --data.`,
    );
  const temp = restoreFolder(dataDir);
  try {
    // One that was cut off: the new state counts, and is what is replaced now.
    await finishRestore(dataDir).catch((error: unknown) => {
      if (!(error instanceof WarmbootError)) throw error;
    });
    const state = await stateIn(dataDir);
    if (state.length > 0 && !replace)
      throw new WarmbootError(
        'conflict',
        `${dataDir} is not empty: it holds ${state.join(', ')}. Say --replace to put that aside and restore the backup in its place, or choose another --data.`,
      );
    onStep('begin');
    await rm(temp, { recursive: true, force: true });
    await mkdir(temp, { mode: 0o700 });
    await syncFolder(dataDir);
    const aside = state.length > 0 ? asideName(now) : null;
    let made: Omit<Restore, 'keptIn'>;
    try {
      made = await prepare(options, path.join(temp, 'new'), onStep);
      onStep('order');
      await orderRestore(dataDir, { aside });
    } catch (error) {
      await rm(temp, { recursive: true, force: true });
      throw error;
    }
    await finishRestore(dataDir, onStep);
    await giveToOwner(dataDir, path.join(dataDir, 'lock.db'));
    return { ...made, keptIn: aside && path.join(dataDir, aside) };
  } catch (error) {
    throw explained(error, 'restore the backup again');
  } finally {
    unlock();
  }
}

/** `before-2026-11-25T03-00-00.000Z` */
function asideName(now: number): string {
  return `before-${new Date(now).toISOString().replaceAll(':', '-')}`;
}

/** Makes the whole new state in `fresh`, synced. */
async function prepare(
  { dataDir, migrationsDir, backup, now }: RestoreOptions,
  fresh: string,
  onStep: OnStep,
): Promise<Omit<Restore, 'keptIn'>> {
  await mkdir(fresh, { mode: 0o700 });
  onStep('unpack');
  const { note, names } = await unpackBackup(backup, fresh, newestSchema(migrationsDir), now);
  onStep('keep keys');
  await keepNewerKeys(path.join(dataDir, 'keys'), path.join(fresh, 'keys'));
  onStep('check the database');
  const file = path.join(fresh, DATABASE);
  const fault = checkDatabase(file, note.schema);
  if (fault !== null)
    throw new WarmbootError('invalid', `The backup is not restored, and nothing was changed: ${fault}.`);
  onStep('bring the database up to date');
  const db = openDatabase(file, migrationsDir, () => {});
  const store = sqliteStore(db, () => now);
  let summary: RestoreSummary;
  try {
    const has = new Set(names);
    const files = {
      packBytes: async (id: string) =>
        (await sizeOf(packPath(fresh, id))) ?? (await sizeOf(packPath(dataDir, id))),
      hasImage: async (digest: string) => {
        const inBackup = imageFolder('', digest);
        if (has.has(`${inBackup}/index.json`)) return true;
        const sizes = ['index.json', 'kernel', 'initrd'].map((name) =>
          sizeOf(path.join(imageFolder(dataDir, digest), name)),
        );
        return (await Promise.all(sizes)).every((size) => size !== null);
      },
    };
    summary = await afterRestore({ store, files, patience: PATIENCE, now }, note);
    standAlone(db);
  } finally {
    store.close();
  }
  onStep('sync');
  await syncAll(fresh);
  await giveToOwner(dataDir, fresh);
  await syncFolder(path.dirname(fresh));
  return { note, ...summary };
}

/**
 * Keys that were made since the backup: hosts may hold nothing else by now. What else of the keys the backup does not have
 * is kept too; what both have is as in the backup.
 */
async function keepNewerKeys(here: string, fresh: string): Promise<void> {
  const entries = await readdir(here, { recursive: true, withFileTypes: true }).catch(() => []);
  if (entries.length === 0) return;
  const known = openKeyring(fresh).ids;
  const ofHere = openableKeyring(here);
  for (const entry of entries) {
    if (!entry.isFile() || entry.name.endsWith('.tmp')) continue;
    const source = path.join(entry.parentPath, entry.name);
    const id = ofHere.get(entry.name) ?? null;
    if (id === null ? MANIFEST_KEY.test(entry.name) : known.includes(id)) continue;
    const name = id === null ? path.relative(here, source) : keyFileName(id);
    const target = path.join(fresh, name);
    if ((await sizeOf(target)) !== null) continue;
    await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    await copyFile(source, target);
  }
}

const MANIFEST_KEY = /^manifest.*\.pem$/;

/** Names of manifest keys' files → their ids. One that cannot be read must not stop a restore: it is the reason for it, perhaps. */
function openableKeyring(folder: string): ReadonlyMap<string, string> {
  try {
    return openKeyring(folder).names;
  } catch {
    return new Map();
  }
}

async function sizeOf(file: string): Promise<number | null> {
  return stat(file).then(
    ({ size }) => size,
    () => null,
  );
}

async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) await syncAll(at);
    else await syncFile(at);
  }
  await syncFolder(folder);
}
