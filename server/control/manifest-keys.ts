import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import {
  activeKey,
  announce,
  announcedKey,
  dependents,
  dropped,
  type KeyRecord,
  liveKeys,
  settled,
} from '../core/manifest-keys.ts';
import type { Clock } from '../core/ports.ts';
import type { KeyUseCases, TrustStore } from '../core/trust-port.ts';
import { event } from './context.ts';

/** The private halves, as far as they are needed here. */
export type KeyFiles = {
  readonly ids: readonly string[];
  get(id: string): { readonly publicPem: string };
  add(): { readonly id: string; readonly publicPem: string };
  remove(id: string): void;
};

/** Both halves of what hosts verify by: use cases for operators, and what the ticker and the boot plane need. */
export type Keys = KeyUseCases & {
  /** As they are now; read without waiting. */
  current(): readonly KeyRecord[];
  /** What time and hosts have made of them. */
  settle(): Promise<void>;
};

/** An overlap that is over at once is for tests and for a key that was stolen; a year is for nobody. */
export const MAX_OVERLAP_MS = 366 * 86_400_000;

/**
 * @param onMissing told of a key whose private half is gone
 * @throws WarmbootError when that is the active one: manifests could not be signed
 */
export async function manifestKeys(
  { store, files, clock }: { store: TrustStore; files: KeyFiles; clock: Clock },
  onMissing: (id: string) => void,
): Promise<Keys> {
  let keys = await opened();
  // One change at a time: each begins with what the one before has made.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(task: () => Promise<T>): Promise<T> {
    const run = last.then(task, task);
    last = run.catch(() => {});
    return run;
  }

  async function put(next: readonly KeyRecord[], events: readonly NewEvent[]): Promise<void> {
    await store.putKeys(next, events);
    keys = next;
    // Only what nobody can be told of any more.
    for (const { id, state } of next) if (state === 'dropped') files.remove(id);
  }

  return {
    current: () => keys,
    async list() {
      const held = await store.held();
      return keys.map((key) => ({
        key,
        dependents: key.state === 'dropped' ? [] : dependents(keys, key.id, held),
      }));
    },
    rotate: (by, overlapMs) =>
      inTurn(async () => {
        const waiting = announcedKey(keys);
        if (waiting)
          throw new WarmbootError(
            'conflict',
            `Key ${waiting.id} is announced already and signs from ${at(waiting.switchAt)} on. Wait for that, or drop it.`,
          );
        if (!(overlapMs >= 0 && overlapMs <= MAX_OVERLAP_MS))
          throw new WarmbootError('invalid', 'Both keys count for 0 seconds to 366 days.');
        const fresh = files.add();
        const next = announce(keys, fresh, clock(), overlapMs);
        const switchAt = announcedKey(next)?.switchAt ?? null;
        const told = event('key-announced', null, by, `it signs from ${at(switchAt)} on`, { key: fresh.id });
        await put(next, [told]);
        return announcedKey(next) as KeyRecord;
      }),
    drop: (by, id, force) =>
      inTurn(async () => {
        const key = liveKeys(keys).find((live) => live.id === id);
        if (!key)
          throw new WarmbootError('not-found', `There is no key ${id.slice(0, 64)}. See: warmboot key list.`);
        if (key.state === 'active')
          throw new WarmbootError(
            'conflict',
            `Key ${id} signs manifests. Announce another first: warmboot key rotate.`,
          );
        const needing = dependents(keys, id, await store.held());
        if (needing.length > 0 && !force)
          throw new WarmbootError(
            'conflict',
            `${needing.length} host${needing.length === 1 ? '' : 's'} can verify nothing but key ${id} (${needing[0]?.mac}${needing.length > 1 ? ', …' : ''}). Wait for them, or force it: they must then be installed again.`,
          );
        const told = event('key-dropped', null, by, needing.length > 0 ? 'forced' : 'no host needs it', {
          key: id,
          hosts: needing.length,
        });
        await put(
          keys.map((one) => (one.id === id ? dropped(one, clock()) : one)),
          [told],
        );
      }),
    settle: () =>
      inTurn(async () => {
        const isRetiring = keys.some(({ state }) => state === 'retiring');
        const held = isRetiring ? await store.held() : [];
        const next = settled(keys, clock(), () => held);
        if (next === keys) return;
        const changed = next.filter((key) => key.state !== keys.find(({ id }) => id === key.id)?.state);
        await put(next, changed.flatMap(told));
      }),
  };

  /** What was stored, brought together with the files that are there. */
  async function opened(): Promise<readonly KeyRecord[]> {
    const stored = await store.keys();
    if (stored.length === 0 && files.ids.length === 0) files.add();
    const now = clock();
    const known = new Set(stored.map(({ id }) => id));
    const live = liveKeys(stored);
    // A file without a row: the server was killed before it announced it, or the database is an older one. Hosts may hold it.
    const found = files.ids
      .filter((id) => !known.has(id))
      .map((id, at): KeyRecord => {
        const state = live.length === 0 && at === 0 ? 'active' : 'retiring';
        return { id, publicPem: files.get(id).publicPem, state, createdAt: now, since: now, switchAt: null };
      });
    const kept = stored.map((key) => {
      if (key.state === 'dropped' || files.ids.includes(key.id)) return key;
      if (key.state === 'active')
        throw new WarmbootError(
          'unavailable',
          `The private half of the manifest key ${key.id} is not in DATA/keys. Put that folder back from a backup: hosts trust no other key.`,
        );
      onMissing(key.id);
      return dropped(key, now);
    });
    const all = [...kept, ...found];
    if (found.length > 0 || kept.some((key, index) => key !== stored[index])) await store.putKeys(all, []);
    for (const { id, state } of all) if (state === 'dropped') files.remove(id);
    activeKey(all);
    return all;
  }
}

function told({ id, state }: KeyRecord): NewEvent[] {
  if (state === 'active')
    return [event('key-switched', null, 'server', 'its time came: it signs from now on', { key: id })];
  if (state === 'dropped')
    return [event('key-dropped', null, 'server', 'no host needs it any more', { key: id, hosts: 0 })];
  return [];
}

function at(ms: number | null): string {
  return ms === null ? 'now' : new Date(ms).toISOString();
}
