import type { TftpLimits } from './limits.ts';
import type { Agreement } from './options.ts';

/**
 * One read transfer as a pure step: `step(state, event)` says what to send next and when to wake up. No bytes, sockets or
 * clocks in here: blocks are named by offset and length, times are arguments. Block numbers are absolute; only the codec
 * knows that the wire has 16 bits of them.
 *
 * Against the sorcerer's apprentice (RFC 1123, 4.2.3.1): an ACK that brings nothing new sends nothing, unless windows
 * (RFC 7440) make it the client's way of saying that a block was lost. Such a gap is answered by a rewind: the window goes
 * out again from there. But blocks then cross the network twice, clients answer the second copies with more ACKs, and those must
 * not rewind again, or the echo would feed on itself. So `rewoundTo` remembers how far blocks were out before the last
 * rewind, and an ACK up to there is believed only within bounds (`onGap`).
 */
export type Transfer = {
  readonly agreement: Agreement;
  readonly limits: TftpLimits;
  readonly bytes: number;
  /** The last block, always shorter than a full one, possibly empty. */
  readonly lastBlock: number;
  /** -1 until the OACK was answered. */
  readonly acked: number;
  /** Highest block sent, or 0. */
  readonly sent: number;
  /** Retransmissions since the last progress. */
  readonly retries: number;
  /**
   * Doublings of the pause. Progress takes back one of them, and all only if it could be measured (RFC 6298, 5.7), which under
   * heavy loss no window may allow.
   */
  readonly backOff: number;
  /** Highest block that was out before the last rewind, 0 if there was none. */
  readonly rewoundTo: number;
  /** Rewinds since the client got beyond `rewoundTo`. */
  readonly rewinds: number;
  readonly answered: boolean;
  readonly roundTrip: RoundTrip | null;
  /** When the window was sent; null if parts of it were sent twice, so that its round trip says nothing (Karn). */
  readonly windowAtMs: number | null;
  readonly end: TransferEnd | null;
};

/** Smoothed round trip and its deviation, milliseconds (RFC 6298). */
type RoundTrip = { readonly meanMs: number; readonly deviationMs: number };

/**
 * - `complete`   the last block was acknowledged
 * - `unsure`     all of it was sent and only the last window's ACK never came: most likely complete
 * - `aborted`    the client sent ERROR, or the caller did
 * - `silent`     the client stopped answering
 */
export type TransferEnd = {
  readonly outcome: 'complete' | 'unsure' | 'aborted' | 'silent';
  readonly reason: string;
};

export type TransferEvent =
  | { readonly kind: 'start'; readonly atMs: number }
  /** `block`: the 16 bits of the datagram. */
  | { readonly kind: 'ack'; readonly block: number; readonly atMs: number }
  | { readonly kind: 'timeout' }
  /** The client repeats its request. */
  | { readonly kind: 'again' }
  | { readonly kind: 'abort'; readonly reason: string };

/** `offset` and `length` in bytes of the file as it is sent. */
export type Outgoing =
  | { readonly kind: 'oack' }
  | { readonly kind: 'data'; readonly block: number; readonly offset: number; readonly length: number };

export type Step = {
  readonly state: Transfer;
  readonly send: readonly Outgoing[];
  /**
   * Milliseconds after the last of `send` at which a `timeout` is due; 0: leave the running timer as it is. What an earlier
   * step had still to send is to be dropped, but for blocks between `acked` and the first of `send`.
   */
  readonly wakeMs: number;
};

/** A round trip on a LAN is far shorter, but a client that is busy drawing its screen is not. */
const SHORTEST_TIMEOUT_MS = 50;

export function begin(agreement: Agreement, bytes: number, limits: TftpLimits): Transfer {
  return {
    agreement,
    limits,
    bytes,
    lastBlock: Math.floor(bytes / agreement.blockBytes) + 1,
    acked: agreement.accepted.length > 0 ? -1 : 0,
    sent: 0,
    retries: 0,
    backOff: 0,
    rewoundTo: 0,
    rewinds: 0,
    answered: false,
    roundTrip: null,
    windowAtMs: null,
    end: null,
  };
}

export function step(state: Transfer, event: TransferEvent): Step {
  if (state.end) return { state, send: [], wakeMs: 0 };
  switch (event.kind) {
    case 'start':
      return flight(state, event.atMs);
    case 'ack':
      return onAck(state, event.block, event.atMs);
    case 'timeout':
      return onTimeout(state);
    case 'again':
      return state.answered ? nothing(state) : flight(state, null);
    case 'abort':
      return finish(state, 'aborted', event.reason);
    default:
      return event satisfies never;
  }
}

/** The next window, all of it, for the first time or again. */
function flight(state: Transfer, windowAtMs: number | null): Step {
  const wakeMs = pauseMs(state);
  if (state.acked < 0) return { state: { ...state, windowAtMs }, send: [{ kind: 'oack' }], wakeMs };
  const { blockBytes, windowBlocks } = state.agreement;
  const end = Math.min(state.acked + windowBlocks, state.lastBlock);
  const send: Outgoing[] = [];
  for (let block = state.acked + 1; block <= end; block++) {
    const offset = (block - 1) * blockBytes;
    send.push({ kind: 'data', block, offset, length: Math.min(blockBytes, state.bytes - offset) });
  }
  return { state: { ...state, sent: end, windowAtMs }, send, wakeMs };
}

function onAck(state: Transfer, block: number, atMs: number): Step {
  if (state.acked < 0) {
    if (block !== 0) return nothing(state);
    return flight(progress(state, 0, atMs), atMs);
  }
  const ahead = (block - (state.acked % 65536) + 65536) % 65536;
  const acked = state.acked + ahead;
  if (acked > state.sent) return nothing(state); // old, or never sent
  if (acked === state.lastBlock) {
    return finish(progress(state, acked, atMs), 'complete', 'every block was acknowledged');
  }
  if (ahead > 0 && acked === state.sent) return flight(progress(state, acked, atMs), atMs);
  return onGap(state, acked, atMs);
}

/** Beyond this many, losses in one stretch wait for the timeout. */
const REWINDS = 3;

/** An ACK inside the window (RFC 7440, 4), or the last one again. */
function onGap(state: Transfer, acked: number, atMs: number): Step {
  const again = acked === state.acked;
  // In lock-step there are no gaps: the block is late, and only the clock may send it again.
  if (state.agreement.windowBlocks === 1) return nothing(state);
  const isEcho =
    acked === state.rewoundTo || (acked < state.rewoundTo && (again || state.rewinds >= REWINDS));
  if (!isEcho) return rewind(again ? state : progress(state, acked, atMs));
  return again ? nothing(state) : slide(progress(state, acked, atMs));
}

function rewind(state: Transfer): Step {
  const rewinds = state.acked < state.rewoundTo ? state.rewinds + 1 : 1;
  return flight({ ...state, rewinds, rewoundTo: state.sent }, null);
}

/** The client got further, and all it needs next is on its way: only what now fits into the window behind that. */
function slide(state: Transfer): Step {
  const next = flight(state, null);
  return { ...next, send: next.send.filter((packet) => packet.kind === 'data' && packet.block > state.sent) };
}

function onTimeout(state: Transfer): Step {
  const allowed = state.answered ? state.limits.retries : state.limits.retriesUnanswered;
  if (state.retries < allowed) {
    const next = { ...state, retries: state.retries + 1, backOff: state.backOff + 1 };
    return mayRepeat(next) ? rewind(next) : { state: next, send: [], wakeMs: pauseMs(next) };
  }
  if (state.answered && state.sent === state.lastBlock) {
    return finish(state, 'unsure', 'the last blocks were sent, their ACK never came');
  }
  return finish(
    state,
    'silent',
    state.answered ? 'the client stopped answering' : 'the client never answered',
  );
}

/**
 * Before the client has shown that it is there, its address may be forged and the true one get what it never asked for. An OACK is
 * no longer than the request and may be repeated; a first block of 512 bytes, for a request of 20, goes out once for each request,
 * and the client repeats that if it gets no answer.
 */
function mayRepeat({ answered, acked }: Transfer): boolean {
  return answered || acked < 0;
}

function progress(state: Transfer, acked: number, atMs: number): Transfer {
  const isMeasured = state.windowAtMs !== null;
  // One copy: this is done for every ACK.
  return {
    ...state,
    acked,
    retries: 0,
    answered: true,
    backOff: isMeasured ? 0 : Math.max(0, state.backOff - 1),
    roundTrip: isMeasured ? measured(state, atMs - state.windowAtMs) : state.roundTrip,
  };
}

/** RFC 6298, 2.2 and 2.3. */
function measured({ roundTrip }: Transfer, sampleMs: number): RoundTrip {
  if (roundTrip === null) return { meanMs: sampleMs, deviationMs: sampleMs / 2 };
  return {
    meanMs: roundTrip.meanMs * 0.875 + sampleMs * 0.125,
    deviationMs: roundTrip.deviationMs * 0.75 + Math.abs(roundTrip.meanMs - sampleMs) * 0.25,
  };
}

/**
 * Doubles with each retransmission. The client's own wish (RFC 2349) is how long we may wait at most, and at first if it is
 * short; a known round trip beats it, since curl asks for 6 seconds whatever the network.
 */
function pauseMs({ agreement, limits, roundTrip, backOff }: Transfer): number {
  const wishMs = agreement.timeoutMs ?? limits.timeoutMs;
  const guessMs =
    roundTrip === null ? Math.min(wishMs, limits.timeoutMs) : roundTrip.meanMs + 4 * roundTrip.deviationMs;
  const firstMs = Math.min(Math.max(guessMs, SHORTEST_TIMEOUT_MS), Math.max(wishMs, limits.timeoutMs));
  return Math.ceil(Math.min(firstMs * 2 ** backOff, Math.max(firstMs, limits.longestTimeoutMs)));
}

function nothing(state: Transfer): Step {
  return { state, send: [], wakeMs: 0 };
}

function finish(state: Transfer, outcome: TransferEnd['outcome'], reason: string): Step {
  return { state: { ...state, end: { outcome, reason } }, send: [], wakeMs: 0 };
}
