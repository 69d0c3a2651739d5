import type { TftpFile } from './files.ts';
import type { TftpLimits } from './limits.ts';
import { negotiate } from './options.ts';
import { decode, ERROR_CODE, encodeData, encodeError, encodeOack, type TftpOptions } from './packet.ts';
import { begin, type Outgoing, type Step, step, type Transfer, type TransferEnd } from './transfer.ts';

/** The way to one client. Ports-per-transfer gives each session a socket of its own; single-port mode would share the door. */
export type Channel = {
  send(datagram: Buffer): void;
  /** Sends a last word, if there is one, and frees whatever is behind the channel. */
  close(last: Buffer | null): void;
};

export type SessionEnd = TransferEnd & {
  readonly blockBytes: number;
  readonly windowBlocks: number;
  /** DATA packets sent, retransmissions included, and how many there had to be. */
  readonly blocksSent: number;
  readonly blocksNeeded: number;
  readonly milliseconds: number;
};

type Given = {
  readonly file: TftpFile;
  readonly options: TftpOptions;
  readonly limits: TftpLimits;
  readonly channel: Channel;
  readonly nowMs: () => number;
  readonly onEnd: (end: SessionEnd) => void;
};

/** Runs one transfer: hands events to the pure step and does what it says. The only timer of a transfer is here. */
export class Session {
  readonly #given: Given;
  readonly #beganMs: number;
  #state: Transfer;
  #queue: Outgoing[] = [];
  #pumping = false;
  #wakeMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #blocksSent = 0;

  constructor(given: Given) {
    const agreement = negotiate(given.options, given.file.bytes, given.limits);
    this.#given = given;
    this.#beganMs = given.nowMs();
    this.#state = begin(agreement, given.file.bytes, given.limits);
  }

  /** The client has shown that it exists: it answered at least once. */
  get answered(): boolean {
    return this.#state.answered;
  }

  start(): void {
    this.#perform(step(this.#state, { kind: 'start', atMs: this.#given.nowMs() }));
  }

  /** A datagram of this session's client. What makes no sense is passed over: it may be forged, and proves nothing. */
  receive(datagram: Buffer): void {
    const packet = decode(datagram);
    if (packet.kind === 'ack') {
      this.#perform(step(this.#state, { kind: 'ack', block: packet.block, atMs: this.#given.nowMs() }));
    } else if (packet.kind === 'error') {
      const reason = `the client said: ${packet.message || 'no reason'} (error ${packet.code})`;
      this.#perform(step(this.#state, { kind: 'abort', reason }));
    }
  }

  /** Ends the transfer from our side and tells the client why. */
  abort(reason: string): void {
    this.#perform(step(this.#state, { kind: 'abort', reason }), encodeError(ERROR_CODE.undefined, reason));
  }

  /** Ends the transfer without a word. */
  drop(reason: string): void {
    this.#perform(step(this.#state, { kind: 'abort', reason }));
  }

  #perform({ state, send, wakeMs }: Step, last: Buffer | null = null): void {
    const over = this.#state.end !== null;
    this.#state = state;
    if (over) return;
    if (state.end) {
      this.#finish(state.end, last);
    } else if (wakeMs > 0) {
      this.#queue = [...this.#stillNeeded(send), ...send];
      this.#wakeMs = wakeMs;
      clearTimeout(this.#timer);
      if (!this.#pumping) void this.#pump();
    }
  }

  /** Of what an earlier step wanted sent and a slow file has held up: the blocks that go before the new ones. */
  #stillNeeded([first]: readonly Outgoing[]): Outgoing[] {
    const { acked } = this.#state;
    const before = first?.kind === 'data' ? first.block : Number.POSITIVE_INFINITY;
    return this.#queue.filter((held) => held.kind === 'data' && held.block > acked && held.block < before);
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const made = this.#datagramOf(next);
        const datagram = Buffer.isBuffer(made) ? made : await made;
        if (this.#state.end) return;
        this.#given.channel.send(datagram);
      }
      this.#timer = setTimeout(() => {
        this.#perform(step(this.#state, { kind: 'timeout', atMs: this.#given.nowMs() }));
      }, this.#wakeMs);
    } catch {
      this.abort('the server could not read the file');
    } finally {
      this.#pumping = false;
    }
  }

  #datagramOf(next: Outgoing): Buffer | Promise<Buffer> {
    if (next.kind === 'oack') return encodeOack(this.#state.agreement.accepted);
    const { block, offset, length } = next;
    const encode = (data: Buffer): Buffer => {
      // Short of bytes: the file shrank under us. A short block would end the transfer as if it were whole.
      if (data.length !== length) throw new Error('the file has not the size that was promised');
      this.#blocksSent++;
      return encodeData(block, data);
    };
    const data = this.#given.file.read(offset, length);
    return Buffer.isBuffer(data) ? encode(data) : data.then(encode);
  }

  #finish(end: TransferEnd, last: Buffer | null): void {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#given.channel.close(last);
    // Nobody is left to be told that closing a file failed.
    void Promise.resolve(this.#given.file.close?.()).catch(() => undefined);
    this.#given.onEnd({
      ...end,
      blockBytes: this.#state.agreement.blockBytes,
      windowBlocks: this.#state.agreement.windowBlocks,
      blocksSent: this.#blocksSent,
      blocksNeeded: this.#state.lastBlock,
      milliseconds: Math.round(this.#given.nowMs() - this.#beganMs),
    });
  }
}
