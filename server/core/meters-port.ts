import type { Attempt } from './attempt.ts';
import type { BuildRecord } from './build-ports.ts';

/**
 * What rooms tell of their work, for `/metrics`. Every label takes its values from a small fixed set: nothing that a stranger
 * can choose, no MAC, no name, no address.
 */

/** An answer that is over. `route` is the pattern that matched, never the path that was asked for. */
export type AnswerTold = {
  readonly plane: 'boot' | 'admin';
  readonly route: string;
  readonly status: number;
  /** Of the body, as far as they went out. */
  readonly bytes: number;
  readonly seconds: number;
  /** Less went out than was promised. */
  readonly isBroken: boolean;
  /** A long poll or a stream: how long it took says nothing of the server. */
  readonly isWaiting: boolean;
};

/** What a request is while it is open; `transfer` is everything that ends by itself. */
export type OpenKind = 'long-poll' | 'event-stream' | 'transfer';

export type HttpMeters = {
  answered(told: AnswerTold): void;
  /** @returns how to say that it is over */
  opened(plane: AnswerTold['plane'], kind: OpenKind): () => void;
};

export type TftpMeters = {
  /** `bytes`: of DATA, retransmissions included. */
  tftpEnded(outcome: 'complete' | 'unsure' | 'aborted' | 'silent' | 'refused', bytes: number): void;
};

export type DhcpMeters = {
  /** `none`: a netboot client that was given no answer. */
  proxyDhcpAnswered(kind: 'offer' | 'ack' | 'none'): void;
};

export type StoreMeters = {
  /** One transaction for `calls` calls. */
  committed(calls: number, seconds: number, isOk: boolean): void;
};

/** Told once what it is about is committed. */
export type FleetMeters = {
  attemptEnded(attempt: Attempt): void;
  buildEnded(build: BuildRecord): void;
};

export type Meters = HttpMeters & TftpMeters & DhcpMeters & StoreMeters & FleetMeters;

/** All that was told, in the text format of Prometheus (version 0.0.4). */
export type Exposition = () => Promise<{ readonly contentType: string; readonly text: string }>;
