import { copyFile, lchown, link, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { syncFile, syncFolder, writeAtomic } from '../blobs/atomic.ts';
import { DATABASE, FIRST_TOKEN } from '../core/backup.ts';
import { WarmbootError } from '../core/errors.ts';

/**
 * How a restored state takes the place of the old one, so that whatever is cut off in the middle ends as the one or the other. All of
 * the new state lies in `DATA/restore.tmp/new`, synced. Then `DATA/restore.json` is written: from that moment on the new state
 * counts, and what is left to be moved is moved by whoever opens the folder next.
 */
type Order = {
  /** Name of the folder in the data folder where the old state goes; null: there was none. */
  readonly aside: string | null;
};

/** Told of each step, before it is done. */
export type OnStep = (step: string) => void;

/** Moved as they are; the database last, for without it a server would begin anew. */
const REPLACED = ['keys', FIRST_TOKEN, DATABASE];
const LOGS = [`${DATABASE}-wal`, `${DATABASE}-shm`];
const STORED = ['packs', 'images'];
/** What makes a data folder one that is not empty. */
const STATE = [DATABASE, ...LOGS, 'keys', FIRST_TOKEN, ...STORED, 'builds'];

export function restoreFolder(dataDir: string): string {
  return path.join(dataDir, 'restore.tmp');
}

function orderFile(dataDir: string): string {
  return path.join(dataDir, 'restore.json');
}

/** @returns names of what a data folder holds of a server's state */
export async function stateIn(dataDir: string): Promise<readonly string[]> {
  const found = await readdir(dataDir);
  return STATE.filter((name) => found.includes(name));
}

/** From here on the new state counts. It is complete and synced. */
export async function orderRestore(dataDir: string, order: Order): Promise<void> {
  await writeAtomic(orderFile(dataDir), `${JSON.stringify(order)}\n`, 0o600);
}

/**
 * To be called by whoever has the lock, before anything of the state is opened.
 * @returns `finished`: a restore was cut off after the new state counted, and is complete now; `given-up`: one was cut off before, and
 * the old state is as it was
 * @throws WarmbootError when one was cut off before and there is no old state: to begin anew is not what was wanted
 */
export async function finishRestore(
  dataDir: string,
  onStep: OnStep = () => {},
): Promise<'finished' | 'given-up' | 'none'> {
  const order = await orderIn(dataDir);
  const temp = restoreFolder(dataDir);
  if (order) {
    await replace(dataDir, order, onStep);
    onStep('forget the order');
    await rm(orderFile(dataDir));
    await syncFolder(dataDir);
    onStep('clear up');
    await rm(temp, { recursive: true, force: true });
    return 'finished';
  }
  const isBegun = (await readdir(dataDir)).includes(path.basename(temp));
  if (!isBegun) return 'none';
  if (!(await stateIn(dataDir)).includes(DATABASE))
    throw new WarmbootError(
      'unavailable',
      `A restore into ${dataDir} was cut off before it was complete, and there is no other database. Run it again: warmboot restore FILE. To begin anew instead, remove ${temp}.`,
    );
  await rm(temp, { recursive: true, force: true });
  return 'given-up';
}

/** Root restores for the user that the server runs as: who owns the data folder owns what is in it. */
export async function giveToOwner(dataDir: string, below: string): Promise<void> {
  const { uid, gid } = await stat(dataDir);
  if (process.getuid?.() !== 0 || uid === 0) return;
  await lchown(below, uid, gid);
  const entries = await readdir(below, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const { parentPath, name } of entries) await lchown(path.join(parentPath, name), uid, gid);
}

async function orderIn(dataDir: string): Promise<Order | null> {
  try {
    return JSON.parse(await readFile(orderFile(dataDir), 'utf8')) as Order;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Each step is done once, however often this is begun: what has been moved is not in the new folder any more. */
async function replace(dataDir: string, { aside }: Order, onStep: OnStep): Promise<void> {
  const fresh = path.join(restoreFolder(dataDir), 'new');
  const old = aside === null ? null : path.join(dataDir, aside);
  const isNew = async (name: string) => (await namesIn(fresh)).includes(name);
  const isHere = async (name: string) => (await namesIn(dataDir)).includes(name);

  async function putAside(name: string): Promise<void> {
    if (old === null || !(await isHere(name))) return;
    onStep(`put ${name} aside`);
    await rename(path.join(dataDir, name), path.join(old, name));
    await syncFolder(old);
    await syncFolder(dataDir);
  }

  if (await isNew(DATABASE)) {
    if (old !== null) {
      onStep('make the folder for the old state');
      await mkdir(old, { recursive: true, mode: 0o700 });
      await giveToOwner(dataDir, old);
      await syncFolder(dataDir);
      // Images stay where they are, and the old database finds them too: they take no room twice.
      for (const name of STORED) {
        onStep(`link ${name}`);
        await eachFile(path.join(dataDir, name), path.join(old, name), linkAgain);
      }
    }
    for (const name of STORED) {
      onStep(`place ${name}`);
      await eachFile(path.join(fresh, name), path.join(dataDir, name), move);
      if (await isHere(name)) await giveToOwner(dataDir, path.join(dataDir, name));
    }
    for (const name of LOGS) await putAside(name);
  }
  for (const name of REPLACED) {
    if (!(await isNew(name))) continue;
    await putAside(name);
    onStep(`place ${name}`);
    await rename(path.join(fresh, name), path.join(dataDir, name));
    await syncFolder(dataDir);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

/** Every file below a folder, with its place below another one, whose folders are made. */
async function eachFile(
  from: string,
  to: string,
  act: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (entries === null) return;
  await mkdir(to, { recursive: true });
  for (const entry of entries) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await eachFile(source, target, act);
    else if (entry.isFile()) await act(source, target);
  }
  await syncFolder(to);
  await syncFolder(path.dirname(to));
}

/** Not where images lie on a filesystem of their own, or on one that knows no links: nothing may stop the restore now. */
async function linkAgain(from: string, to: string): Promise<void> {
  await link(from, to).catch((error: NodeJS.ErrnoException) => {
    if (!['EEXIST', 'EXDEV', 'EPERM', 'EMLINK'].includes(error.code ?? '')) throw error;
  });
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    await copyFile(from, `${to}.tmp`);
    await syncFile(`${to}.tmp`);
    await rename(`${to}.tmp`, to);
  }
}
