import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Logger as Pino } from 'pino';
import { ensureFolder } from '../blobs/atomic.ts';
import { sweep } from '../blobs/sweep.ts';
import { manifestKeys } from '../control/manifest-keys.ts';
import { trust } from '../control/trust.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Store } from '../core/ports.ts';
import type { TrustPlace } from '../core/trust.ts';
import { openKeyring } from '../keys/keyring.ts';
import { secretFile } from '../keys/secret-file.ts';
import { newToken } from '../keys/tokens.ts';
import type { OnCommit } from '../store/commit-group.ts';
import { lockData } from '../store/data-lock.ts';
import { openDatabase, schemaOf } from '../store/database.ts';
import { sqliteStore } from '../store/store.ts';
import { finishRestore } from './finish-restore.ts';
import { backupFolder } from './snapshots.ts';

/** Opens the data folder for this process alone, and makes in it what is missing. */
export async function openData(
  dataDir: string,
  migrationsDir: string,
  room: (name: string) => Pino,
  closers: (() => unknown)[],
  onCommit?: OnCommit,
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
  await rm(backupFolder(dataDir), { recursive: true, force: true });
  const cutOff = await finishRestore(dataDir);
  if (cutOff === 'finished') room('store').warn({}, 'a restore that was cut off is complete now');
  if (cutOff === 'given-up')
    room('store').warn({}, 'a restore was cut off before it was complete: the database is as it was before');
  const adminToken = secretFile(path.join(dataDir, 'admin.token'), () => `${newToken()}\n`);
  const db = openDatabase(path.join(dataDir, 'warmboot.db'), migrationsDir, (migration) =>
    room('store').info({ migration }, 'migrated'),
  );
  const store = sqliteStore(db, Date.now, onCommit);
  closers.push(store.close);
  await clearLeftOvers(store, dataDir, (removed) => room('blobs').info({ removed }, 'left-overs removed'));
  const files = openKeyring(path.join(dataDir, 'keys'));
  const onMissing = (key: string) =>
    room('keys').error(
      { key },
      'the private half of a manifest key is gone: hosts that hold no other must be installed again',
    );
  const keys = await manifestKeys({ store: store.trust, files, clock: Date.now }, onMissing);
  const trustIn = (place: TrustPlace) =>
    trust({ store: store.trust, keys, signer: files.get, clock: Date.now }, place);
  return { adminToken, keys, trustIn, store, schema: schemaOf(db) };
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
