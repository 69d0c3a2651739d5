import type { By } from './by.ts';
import type { NewEvent } from './events.ts';
import type { HeldTrust, KeyRecord } from './manifest-keys.ts';

/** What a host said that it holds; it counts only with the token that holds the host. */
export type Held = {
  readonly mac: string;
  readonly tokenHash: string;
  readonly keys: readonly string[];
  readonly secure: boolean;
  readonly at: number;
};

/** The part of the store that is about keys and who holds them. */
export type TrustStore = {
  keys(): Promise<readonly KeyRecord[]>;
  /** All of them and what is told of it, in one transaction. */
  putKeys(keys: readonly KeyRecord[], events: readonly NewEvent[]): Promise<void>;
  /** The document that was given out last; null: none was. */
  edition(): Promise<{ readonly edition: number; readonly content: string } | null>;
  putEdition(edition: number, content: string): Promise<void>;
  /** Hosts that hold a token, by their first MAC. */
  held(): Promise<readonly HeldTrust[]>;
  heldBy(mac: string): Promise<readonly string[] | null>;
  note(held: readonly Held[]): Promise<void>;
};

export type KeyView = { readonly key: KeyRecord; readonly dependents: readonly HeldTrust[] };

export type KeyUseCases = {
  list(): Promise<readonly KeyView[]>;
  /** Announces a new key under the active one, which it follows when `overlapMs` is over. */
  rotate(by: By, overlapMs: number): Promise<KeyRecord>;
  /** Destroys an old key. Hosts that hold no other must be installed again, so it is refused unless `force`. */
  drop(by: By, id: string, force: boolean): Promise<void>;
};
