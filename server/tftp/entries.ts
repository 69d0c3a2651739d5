import type { TftpLimits } from './limits.ts';
import type { Session } from './session.ts';
import type { Peer } from './udp.ts';

/** A request from its arrival to its last packet. */
export type Entry = {
  readonly client: Peer;
  /** The request's datagram, to know it again by. */
  readonly request: string;
  readonly atMs: number;
  /** When the request, or its last repetition that is to be answered, came. */
  heardMs: number;
  /** Null while the file is being looked up. */
  session: Session | null;
  /** The client has asked for something else before its file was found. */
  superseded: boolean;
};

/**
 * - `enter`     a new transfer may begin
 * - `repeated`  the request of a running transfer, once more; to be answered again if nobody has answered yet
 * - `copy`      the same, too soon for a client that waits: made by the network, or by somebody who forges addresses
 * - `full`      the server has no room
 * - `too-many`  the client has `open` transfers and may have no more
 */
export type Admission =
  | { readonly kind: 'enter' | 'repeated'; readonly entry: Entry }
  | { readonly kind: 'copy' | 'full' }
  | { readonly kind: 'too-many'; readonly open: number };

/** A request that got no answer for so long may come from a forged address: newer ones go first when room is short. */
const PATIENCE_MS = 100;

/** Who is being served. A client's address and port have one transfer at most; the limits are held here. */
export class Entries {
  readonly #limits: TftpLimits;
  readonly #all = new Set<Entry>();
  readonly #latest = new Map<string, Entry>();
  readonly #perAddress = new Map<string, number>();

  constructor(limits: TftpLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  /** The transfer of this address and port. */
  of(client: Peer): Entry | undefined {
    return this.#latest.get(keyOf(client));
  }

  all(): Entry[] {
    return [...this.#all];
  }

  admit(client: Peer, request: string, atMs: number): Admission {
    const before = this.of(client);
    // A copy that the network made or delayed must not disturb the transfer. A client that began anew with the same port
    // lets its old transfer stall, and repeats its request until it is heard.
    if (before?.request === request && !before.session?.stalled) return heardAgain(before, atMs);
    if (before) supersede(before);
    if (this.#all.size >= this.#limits.transfers && !this.#makeRoom(atMs, () => true))
      return { kind: 'full' };
    const open = this.#perAddress.get(client.address) ?? 0;
    const isSame = (old: Entry) => old.client.address === client.address;
    if (open >= this.#limits.transfersPerClient && !this.#makeRoom(atMs, isSame))
      return { kind: 'too-many', open };
    const entry = { client, request, atMs, heardMs: atMs, session: null, superseded: false };
    return { kind: 'enter', entry: this.#enter(entry) };
  }

  #enter(entry: Entry): Entry {
    const { client } = entry;
    this.#all.add(entry);
    this.#latest.set(keyOf(client), entry);
    this.#perAddress.set(client.address, (this.#perAddress.get(client.address) ?? 0) + 1);
    return entry;
  }

  /** The transfer is over; a second time does nothing. */
  leave(entry: Entry): void {
    if (!this.#all.delete(entry)) return;
    const { client } = entry;
    if (this.of(client) === entry) this.#latest.delete(keyOf(client));
    const left = (this.#perAddress.get(client.address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(client.address, left);
    else this.#perAddress.delete(client.address);
  }

  /** Drops the oldest transfer whose client never answered. @returns false if there is none */
  #makeRoom(atMs: number, among: (entry: Entry) => boolean): boolean {
    for (const entry of this.#all) {
      if (entry.atMs > atMs - PATIENCE_MS) return false;
      if (!entry.session || entry.session.answered || !among(entry)) continue;
      entry.session.drop('never answered, and others are waiting');
      return true;
    }
    return false;
  }
}

function heardAgain(entry: Entry, atMs: number): Admission {
  if (atMs - entry.heardMs < PATIENCE_MS) return { kind: 'copy' };
  entry.heardMs = atMs;
  return { kind: 'repeated', entry };
}

function supersede(entry: Entry): void {
  entry.superseded = true;
  entry.session?.drop('the client began anew');
}

function keyOf({ address, port }: Peer): string {
  return `${address} ${port}`;
}
