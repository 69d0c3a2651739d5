import path from 'node:path';
import type { Logger as Pino } from 'pino';
import { ensureFolder } from '../blobs/atomic.ts';
import { sweep } from '../blobs/sweep.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import { manifestKey, newManifestKeyPem } from '../keys/manifest-key.ts';
import { secretFile } from '../keys/secret-file.ts';
import { newToken } from '../keys/tokens.ts';
import { lockData } from '../store/data-lock.ts';
import { openDatabase } from '../store/database.ts';
import { sqliteStore } from '../store/store.ts';

/** Opens the data folder for this process alone, and makes in it what is missing. */
export async function openData(
  dataDir: string,
  migrationsDir: string,
  room: (name: string) => Pino,
  closers: (() => unknown)[],
) {
  // Tokens' hashes and keys lie in it.
  await ensureFolder(dataDir, 0o700);
  const unlock = lockData(path.join(dataDir, 'lock.db'));
  if (!unlock)
    throw new WarmbootError(
      'unavailable',
      `Another Warmboot works in ${dataDir}. Stop it, wait until its command has ended, or choose another --data.`,
    );
  closers.push(unlock);
  const adminToken = secretFile(path.join(dataDir, 'admin.token'), () => `${newToken()}\n`);
  const key = manifestKey(secretFile(path.join(dataDir, 'keys', 'manifest.pem'), newManifestKeyPem).text);
  const db = openDatabase(path.join(dataDir, 'warmboot.db'), migrationsDir, (migration) =>
    room('store').info({ migration }, 'migrated'),
  );
  const store = sqliteStore(db, Date.now);
  closers.push(store.close);
  await clearLeftOvers(store, dataDir, (removed) => room('blobs').info({ removed }, 'left-overs removed'));
  return { adminToken, key, store };
}

/** After a crash: builds that ran are interrupted, and what they left is removed before anybody can build again. */
async function clearLeftOvers(
  store: Store,
  dataDir: string,
  tell: (removed: string[]) => void,
): Promise<void> {
  await store.interruptBuilds();
  const removed = await sweep(dataDir, {
    packIds: new Set(await store.packIds()),
    digests: new Set((await store.images()).map(({ digest }) => digest)),
    runningBuilds: new Set(),
  });
  if (removed.length > 0) tell(removed);
}
