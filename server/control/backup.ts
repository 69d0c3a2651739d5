import type { BackupNote } from '../core/backup.ts';
import type { BackupFiles, BackupUseCases, HeldMembers, Snapshot, Snapshots } from '../core/backup-port.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Clock, Store } from '../core/ports.ts';
import { event } from './context.ts';

type Needs = {
  readonly store: Pick<Store, 'change'>;
  readonly snapshots: Snapshots;
  readonly files: BackupFiles;
  readonly clock: Clock;
  /** As `warmboot --version` prints it. */
  readonly product: string;
};

/** Backups of a server that runs. One at a time: each has a copy of the database on the disk until it is sent. */
export function backupCases({ store, snapshots, files, clock, product }: Needs): BackupUseCases {
  let isRunning = false;

  /** A pack may be collected between the look at the rows and the look at the files: then both are looked at again. */
  async function consistent(withImages: boolean, signal: AbortSignal) {
    const snapshot = await snapshots.take(signal);
    try {
      if (!withImages) return { snapshot, images: null };
      return { snapshot, images: await files.images(snapshot) };
    } catch (error) {
      await snapshot.release();
      throw error;
    }
  }

  return {
    async take(by, withImages, signal) {
      if (isRunning)
        throw new WarmbootError('conflict', 'Another backup is being made or sent. Wait until it has ended.');
      isRunning = true;
      const held: Pick<HeldMembers, 'release'>[] = [];
      const release = async () => {
        for (const each of held.splice(0).reverse()) await each.release();
        isRunning = false;
      };
      try {
        const madeAt = clock();
        const reason = withImages ? 'with images' : 'without images';
        await store.change({}, () => ({
          answer: undefined,
          events: [event('backup-taken', null, by, reason)],
        }));
        let found = await consistent(withImages, signal);
        if ((found.images?.missing ?? 0) > 0) {
          await found.images?.release();
          await found.snapshot.release();
          found = await consistent(withImages, signal);
        }
        const { snapshot, images } = found;
        held.push(snapshot);
        if (images) held.push(images);
        // Later than the database: a key whose row is in it has its file by now.
        const secrets = await files.secrets();
        held.push(secrets);
        const note = noteOf(snapshot, { product, madeAt, withImages });
        const members = [snapshot.member, ...secrets.members, ...(images?.members ?? [])];
        return { note, members, release };
      } catch (error) {
        await release();
        throw error;
      }
    },
  };
}

function noteOf(
  { schema, lastEvent, hosts, images }: Snapshot,
  facts: Pick<BackupNote, 'product' | 'madeAt' | 'withImages'>,
): BackupNote {
  return { format: 'warmboot-backup', version: 1, schema, ...facts, lastEvent, hosts, images };
}
