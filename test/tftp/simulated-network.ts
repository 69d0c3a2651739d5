import { DEFAULT_LIMITS } from '../../server/tftp/limits.ts';
import { negotiate } from '../../server/tftp/options.ts';
import { begin, type Outgoing, type Step, step, type TransferEnd } from '../../server/tftp/transfer.ts';

type Conditions = {
  readonly bytes: number;
  readonly blksize: number;
  readonly windowsize: number;
  readonly seed: number;
  /** Chances of each packet, 0 to 1. */
  readonly loss: number;
  readonly repeat: number;
  readonly reorder: number;
};

type Packet = { readonly atMs: number; readonly order: number } & (
  | { readonly to: 'client'; readonly packet: Outgoing }
  | { readonly to: 'server'; readonly block: number }
  | { readonly to: 'timer'; readonly generation: number }
  | { readonly to: 'client-timer'; readonly generation: number }
);

/** A small fast generator with a seed (mulberry32), so that a failure can be run again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The transfer step against a client as RFC 7440 describes it, over a network of simulated time. The client knows only the
 * 16-bit numbers of blocks, as a real one.
 */
export function simulate({ bytes, blksize, windowsize, seed, loss, repeat, reorder }: Conditions): {
  end: TransferEnd | null;
  /** The client has every byte in its right place. */
  received: boolean;
  dataSent: number;
  dataNeeded: number;
} {
  const random = seeded(seed);
  const asked = [
    ['blksize', String(blksize)],
    ['windowsize', String(windowsize)],
  ] as const;
  const agreement = negotiate(asked, bytes, DEFAULT_LIMITS);
  let state = begin(agreement, bytes, DEFAULT_LIMITS);
  const queue = new Queue();
  let order = 0;
  let nowMs = 0;
  let timer = 0;
  let dataSent = 0;
  const client = { expected: 1, offset: 0, sinceAck: 0, done: false, right: true, timer: 0, tries: 0 };

  const post = (packet: { to: 'client'; packet: Outgoing } | { to: 'server'; block: number }): void => {
    if (random() < loss) return;
    const copies = random() < repeat ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const lateMs = random() < reorder ? random() * 20 : 0;
      queue.push({ ...packet, atMs: nowMs + 1 + lateMs, order: order++ });
    }
  };
  const perform = (next: Step): void => {
    state = next.state;
    for (const packet of next.send) {
      if (packet.kind === 'data') dataSent++;
      post({ to: 'client', packet });
    }
    if (next.send.length > 0)
      queue.push({ to: 'timer', generation: ++timer, atMs: nowMs + next.wakeMs, order: order++ });
  };
  const answer = (): void => {
    client.sinceAck = 0;
    post({ to: 'server', block: (client.expected - 1) % 65536 });
    queue.push({ to: 'client-timer', generation: ++client.timer, atMs: nowMs + 1000, order: order++ });
  };
  const receive = (packet: Outgoing): void => {
    if (packet.kind === 'oack') {
      if (client.expected === 1) answer();
      return;
    }
    if (packet.block % 65536 !== client.expected % 65536 || client.done) {
      // Out of order: one ACK for what is there, not one for each block of the broken window.
      if (client.sinceAck >= 0) {
        answer();
        client.sinceAck = -1;
      }
      return;
    }
    if (packet.offset !== client.offset) client.right = false;
    client.offset += packet.length;
    client.expected++;
    client.tries = 0;
    client.sinceAck = Math.max(client.sinceAck, 0) + 1;
    client.done = packet.length < blksize;
    if (client.done || client.sinceAck === agreement.windowBlocks) answer();
  };

  perform(step(state, { kind: 'start', atMs: 0 }));
  for (let steps = 0; !state.end; steps++) {
    const next = queue.pop();
    if (!next || steps > 3_000_000) break;
    nowMs = next.atMs;
    if (next.to === 'client') receive(next.packet);
    else if (next.to === 'server') perform(step(state, { kind: 'ack', block: next.block, atMs: nowMs }));
    else if (next.to === 'timer' && next.generation === timer) perform(step(state, { kind: 'timeout' }));
    else if (
      next.to === 'client-timer' &&
      next.generation === client.timer &&
      !client.done &&
      ++client.tries < 8
    )
      answer();
  }
  const received = client.done && client.right && client.offset === bytes;
  return { end: state.end, received, dataSent, dataNeeded: state.lastBlock };
}

/** A binary heap by time, then by order of sending. */
class Queue {
  readonly #heap: Packet[] = [];

  push(packet: Packet): void {
    this.#heap.push(packet);
    for (let at = this.#heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfEarlier(at, parent)) return;
      at = parent;
    }
  }

  pop(): Packet | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined || this.#heap.length === 0) return first;
    this.#heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      const child = this.#isEarlier(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfEarlier(child, at)) return first;
      at = child;
    }
  }

  #isEarlier(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (!one || !other) return false;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const [one, other] = [this.#heap[child], this.#heap[parent]];
    if (!one || !other || !this.#isEarlier(child, parent)) return false;
    this.#heap[child] = other;
    this.#heap[parent] = one;
    return true;
  }
}
