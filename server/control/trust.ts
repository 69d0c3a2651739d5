import { activeKey, type KeyRecord, signingKey } from '../core/manifest-keys.ts';
import { newest } from '../core/newest.ts';
import type { Clock } from '../core/ports.ts';
import { type TrustPlace, trustContent, trustText } from '../core/trust.ts';
import type { Held, TrustStore } from '../core/trust-port.ts';
import type { Keys } from './manifest-keys.ts';

/** What hosts are told to trust in, and what they say that they do. */
export type Trust = {
  /** The active key. */
  publicPem(): string;
  /** In force now: its edition, and its text for hosts. */
  document(): Promise<{ readonly edition: number; readonly text: string }>;
  /** Under a key that the asker can verify. @param held ids that it named; null: it named none */
  sign(body: Uint8Array, held: readonly string[] | null, mac: string | null): Promise<string>;
  /** Notes what a host holds; written down in a batch, and only where it is news. */
  note(held: Omit<Held, 'at'>): void;
  flush(): Promise<void>;
};

type Signer = { sign(body: Uint8Array): Promise<string> };

/** Hosts whose word is remembered as written down already. */
const KEPT_HOSTS = 65_536;

export function trust(
  {
    store,
    keys,
    signer,
    clock,
  }: {
    readonly store: TrustStore;
    readonly keys: Pick<Keys, 'current'>;
    signer(id: string): Signer;
    readonly clock: Clock;
  },
  place: TrustPlace,
): Trust {
  let known: { keys: readonly KeyRecord[]; edition: number; text: string } | null = null;
  let reading: Promise<unknown> = Promise.resolve();
  const written = newest<string, string>(KEPT_HOSTS);
  let news = new Map<string, Held>();

  async function document() {
    const now = keys.current();
    if (known?.keys === now) return known;
    const content = trustContent(now, place);
    const last = await store.edition();
    const isNew = last?.content !== content;
    // As with serials: at least the clock, so that a database from a backup does not give out what hosts have passed already.
    const edition = isNew ? Math.max(clock(), (last?.edition ?? 0) + 1) : (last?.edition ?? 0);
    if (isNew) await store.putEdition(edition, content);
    known = { keys: now, edition, text: trustText(edition, content) };
    return known;
  }

  return {
    publicPem: () => activeKey(keys.current()).publicPem,
    document() {
      if (known?.keys === keys.current()) return Promise.resolve(known);
      const read = reading.then(document, document);
      reading = read.catch(() => {});
      return read;
    },
    async sign(body, held, mac) {
      const now = keys.current();
      const isOne = now.every(({ state }) => state === 'active' || state === 'dropped');
      const said = held ?? (isOne || mac === null ? null : await store.heldBy(mac));
      // Who asks for the document without a word of keys is no host: people verify by the active one.
      const key = said === null && mac === null ? activeKey(now) : signingKey(now, said);
      return signer(key.id).sign(body);
    },
    note(held) {
      const mark = `${held.tokenHash} ${held.keys.join()} ${held.secure}`;
      if (written.of(held.mac) === mark) return;
      written.note(held.mac, mark);
      news.set(held.mac, { ...held, at: clock() });
    },
    async flush() {
      if (news.size === 0) return;
      const batch = news;
      news = new Map();
      await store.note([...batch.values()]).catch((error: unknown) => {
        // It is news again when the host asks next.
        for (const mac of batch.keys()) written.forget(mac);
        throw error;
      });
    },
  };
}
