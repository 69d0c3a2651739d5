/**
 * The keys that sign manifests, from one to the next. A new key is announced under the old one, both count for a while, then the
 * new one signs; the old one stays for as long as a host holds no newer, for hosts may be off for months.
 *
 *     announced ──its time came──▶ active ──a newer is active──▶ retiring ──no host needs it, or an operator says so──▶ dropped
 */
export type KeyState = 'announced' | 'active' | 'retiring' | 'dropped';

export type KeyRecord = {
  /** The first 16 hex digits of the sha256 of `publicPem`; a host can make it from what it holds. */
  readonly id: string;
  /** SubjectPublicKeyInfo. */
  readonly publicPem: string;
  readonly state: KeyState;
  readonly createdAt: number;
  /** When it came into its state. */
  readonly since: number;
  /** When an announced one becomes active; else null. */
  readonly switchAt: number | null;
};

/** What a host was last heard to hold. `keys` null: it never said; its agent is older than this, or it was not heard of yet. */
export type HeldTrust = {
  readonly mac: string;
  readonly keys: readonly string[] | null;
  /** Whether it came by TLS. */
  readonly secure: boolean;
  /** Null: never. */
  readonly at: number | null;
};

/** An old key is kept for this long in any case: hosts that were never asked may turn up. */
export const RETIRING_MS = 86_400_000;

/** Keys that can still sign, the oldest first. */
export function liveKeys(keys: readonly KeyRecord[]): readonly KeyRecord[] {
  return keys
    .filter(({ state }) => state !== 'dropped')
    .sort((one, other) => one.createdAt - other.createdAt);
}

export function activeKey(keys: readonly KeyRecord[]): KeyRecord {
  const active = keys.find(({ state }) => state === 'active');
  if (active) return active;
  throw new Error('no manifest key is active');
}

export function announcedKey(keys: readonly KeyRecord[]): KeyRecord | null {
  return keys.find(({ state }) => state === 'announced') ?? null;
}

/**
 * The key under which a host can verify: the active one if it holds that, else the newest that it does hold.
 * @param held ids; null for a host that never said: it has what it was installed with, most likely the oldest that is left
 * @returns the active one too where nothing that it holds is left: it will refuse, and say so
 */
export function signingKey(keys: readonly KeyRecord[], held: readonly string[] | null): KeyRecord {
  const live = liveKeys(keys);
  const active = activeKey(keys);
  if (held === null) return live[0] ?? active;
  const usable = live.filter(({ id }) => held.includes(id));
  return usable.find(({ id }) => id === active.id) ?? usable.at(-1) ?? active;
}

/** Hosts that can verify nothing but what this key signs. */
export function dependents(
  keys: readonly KeyRecord[],
  id: string,
  hosts: readonly HeldTrust[],
): readonly HeldTrust[] {
  return hosts.filter(({ keys: held }) => signingKey(keys, held).id === id && (held?.includes(id) ?? true));
}

/** The new key beside the others; refused while another is announced. */
export function announce(
  keys: readonly KeyRecord[],
  fresh: Pick<KeyRecord, 'id' | 'publicPem'>,
  now: number,
  overlapMs: number,
): readonly KeyRecord[] {
  const record = {
    ...fresh,
    state: 'announced',
    createdAt: now,
    since: now,
    switchAt: now + overlapMs,
  } as const;
  return [...keys, record];
}

/**
 * What time and hosts have made of the keys; the same array when nothing.
 * @param hosts asked for only where it matters
 */
export function settled(
  keys: readonly KeyRecord[],
  now: number,
  hosts: () => readonly HeldTrust[],
): readonly KeyRecord[] {
  const announced = announcedKey(keys);
  if (announced && (announced.switchAt ?? now) <= now)
    return keys.map((key) => {
      if (key.id === announced.id) return { ...key, state: 'active', since: now, switchAt: null };
      return key.state === 'active' ? { ...key, state: 'retiring', since: now } : key;
    });
  const retiring = keys.filter(({ state, since }) => state === 'retiring' && since + RETIRING_MS <= now);
  if (retiring.length === 0) return keys;
  const told = hosts();
  const free = retiring.filter(({ id }) => dependents(keys, id, told).length === 0).map(({ id }) => id);
  return free.length === 0 ? keys : keys.map((key) => (free.includes(key.id) ? dropped(key, now) : key));
}

export function dropped(key: KeyRecord, now: number): KeyRecord {
  return { ...key, state: 'dropped', since: now, switchAt: null };
}
