import type { Digest } from '../core/digest.ts';
import type { HostPlace } from '../core/fleet-port.ts';
import type { Patience } from '../core/patience.ts';
import type { Store } from '../core/ports.ts';
import { nextEventId, type Restored, restoredHost, restoredRollout } from '../core/restore.ts';
import { event } from './context.ts';
import { rolloutEvent } from './rollout-events.ts';

/** What of the images lies on this machine. */
export type StoredFiles = {
  /** Null: there is none. */
  packBytes(id: string): Promise<number | null>;
  /** Index, kernel and initrd are there. */
  hasImage(digest: Digest): Promise<boolean>;
};

type Needs = {
  readonly store: Store;
  readonly files: StoredFiles;
  readonly patience: Patience;
  readonly now: number;
};

/** What became of it, for who restored it. */
export type RestoreSummary = {
  readonly hosts: number;
  /** Attempts that were open. */
  readonly attemptsEnded: number;
  readonly rolloutsPaused: number;
  /** Images that cannot be served: something of them is not on this machine. */
  readonly imagesMissing: number;
};

const HOSTS_AT_ONCE = 500;

/**
 * Makes a database from a backup one that the fleet can meet: the machines, those who follow events, and the files here know more
 * than it does. It is done before anybody else sees the database.
 * @param backup when it was made, and its newest event
 */
export async function afterRestore(
  { store, files, patience, now }: Needs,
  backup: Pick<Restored, 'madeAt' | 'lastEvent'>,
): Promise<RestoreSummary> {
  const restored: Restored = { ...backup, at: now, nextEvent: nextEventId(backup, now) };
  const made = new Date(backup.madeAt).toISOString();
  await store.restores.note(
    restored,
    event('restored', null, 'server', `the database is from a backup made at ${made}`, {
      madeAt: backup.madeAt,
      lastEvent: backup.lastEvent,
    }),
  );
  const fleet = await hosts();
  const rolloutsPaused = await rollouts();
  // Another content is another edition, and hosts take only a higher one: what is given out next is above all that they have.
  const edition = await store.trust.edition();
  if (edition) await store.trust.putEdition(edition.edition, '');
  // Who has logged out since must not be logged in again.
  await store.tokens.dropSessions(Number.MAX_SAFE_INTEGER);
  await packs();
  await images();
  const imagesMissing = (await store.images()).filter(
    ({ missingChunks, filesDamaged }) => missingChunks > 0 || filesDamaged,
  ).length;
  return { ...fleet, rolloutsPaused, imagesMissing };

  async function hosts() {
    let [count, attemptsEnded] = [0, 0];
    for (let place: HostPlace | null = null, isFirst = true; isFirst || place !== null; isFirst = false) {
      const page = await store.fleet.look(place, HOSTS_AT_ONCE, () => true);
      const ids = page.hosts.map(({ enrolment }) => enrolment.id);
      attemptsEnded += await store.change({ hosts: ids }, ({ hosts: found }) => {
        const after = found.map((host) => restoredHost(host, now, patience));
        const ended = after.filter(({ attempt }, at) => attempt !== found[at]?.attempt);
        const events = ended.map((host) =>
          event('attempt-ended', host, 'server', host.attempt?.reason ?? '', {
            outcome: host.attempt?.outcome,
          }),
        );
        return { answer: ended.length, hosts: after, events };
      });
      count += ids.length;
      place = page.next;
    }
    return { hosts: count, attemptsEnded };
  }

  async function rollouts(): Promise<number> {
    const paused = (await store.rollouts.open()).flatMap((rollout) => restoredRollout(rollout) ?? []);
    const events = paused.map((rollout) =>
      rolloutEvent('rollout-paused', rollout, 'server', rollout.statusReason),
    );
    await store.change({}, () => ({ answer: undefined, rollouts: { rollouts: paused }, events }));
    return paused.length;
  }

  /** Chunks in packs that are not here, or are not as they were, lose their rows, as after a check of the store. */
  async function packs(): Promise<void> {
    const { upkeep } = store;
    for (let pack = await upkeep.nextPack(null); pack; pack = await upkeep.nextPack(pack.id)) {
      if ((await files.packBytes(pack.id)) === pack.bytes) continue;
      const some = () => upkeep.packFrames(pack.id, -1);
      for (let frames = await some(); frames.length > 0; frames = await some())
        await upkeep.dropDamaged(frames);
    }
  }

  async function images(): Promise<void> {
    const { upkeep } = store;
    for (let image = await upkeep.nextImage(0); image; image = await upkeep.nextImage(image.id))
      if (!(await files.hasImage(image.digest))) await upkeep.markFilesDamaged(image.digest);
  }
}
