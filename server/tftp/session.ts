import type { Channel } from './channel.ts';
import type { TftpFile } from './files.ts';
import type { TftpLimits } from './limits.ts';
import { negotiate } from './options.ts';
import {
  ERROR_CODE,
  encodeData,
  encodeError,
  encodeOack,
  type Refusal,
  type TftpOptions,
  type TftpPacket,
} from './packet.ts';
import { begin, type Outgoing, type Step, step, type Transfer, type TransferEnd } from './transfer.ts';

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
  /** When a `timeout` is due; null while blocks are still being sent. */
  #wakeAtMs: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #timerAtMs = 0;
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

  /** It has answered before, and now does not: what was sent last had to be sent again, and still nothing came. */
  get stalled(): boolean {
    return this.#state.answered && this.#state.retries > 0;
  }

  start(): void {
    this.#perform(step(this.#state, { kind: 'start', atMs: this.#given.nowMs() }));
  }

  /** The client repeats its request. */
  askedAgain(): void {
    this.#perform(step(this.#state, { kind: 'again' }));
  }

  /** A packet of this session's client. What makes no sense is passed over: it may be forged, and proves nothing. */
  receive(packet: TftpPacket | Refusal): void {
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
      this.#wakeAtMs = null;
      if (!this.#pumping) this.#pump();
    }
  }

  /** Of what an earlier step wanted sent and a slow file has held up: the blocks that go before the new ones. */
  #stillNeeded([first]: readonly Outgoing[]): Outgoing[] {
    const { acked } = this.#state;
    const before = first?.kind === 'data' ? first.block : Number.POSITIVE_INFINITY;
    return this.#queue.filter((held) => held.kind === 'data' && held.block > acked && held.block < before);
  }

  /** Sends the queue. Goes on by itself where the file gives its bytes later. */
  #pump(): void {
    this.#pumping = true;
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
        const datagram = this.#datagramOf(next);
        if (Buffer.isBuffer(datagram)) {
          this.#given.channel.send(datagram);
          continue;
        }
        datagram.then((late) => this.#goOn(late)).catch(() => this.#readFailed());
        return;
      }
    } catch {
      this.#readFailed();
    }
    this.#pumping = false;
    this.#wakeIn(this.#wakeMs);
  }

  #goOn(datagram: Buffer): void {
    if (this.#state.end) return;
    this.#given.channel.send(datagram);
    this.#pump();
  }

  #readFailed(): void {
    this.abort('the server could not read the file');
  }

  /**
   * Most pauses end early, with an ACK. So a running timer is left to run, and looks when it fires whether the end of the pause has moved;
   * only a shorter pause needs another timer.
   */
  #wakeIn(pauseMs: number): void {
    if (this.#state.end) return;
    const dueMs = this.#given.nowMs() + pauseMs;
    this.#wakeAtMs = dueMs;
    if (this.#timer && this.#timerAtMs <= dueMs) return;
    this.#startTimer(dueMs, pauseMs);
  }

  #startTimer(dueMs: number, pauseMs: number): void {
    clearTimeout(this.#timer);
    this.#timerAtMs = dueMs;
    this.#timer = setTimeout(() => this.#onTimer(), pauseMs);
  }

  #onTimer(): void {
    this.#timer = undefined;
    if (this.#wakeAtMs === null) return;
    const leftMs = this.#wakeAtMs - this.#given.nowMs();
    if (leftMs > 0) this.#startTimer(this.#wakeAtMs, Math.ceil(leftMs));
    else this.#perform(step(this.#state, { kind: 'timeout' }));
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
