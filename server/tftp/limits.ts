/** How much of the server one client, and all of them, may use. Also the bounds of what clients may negotiate. */
export type TftpLimits = {
  /** Open transfers of one address. A rack behind NAT is one address: raise it there. */
  readonly transfersPerClient: number;
  readonly transfers: number;
  /** Largest blksize (RFC 2348). 1468 + 4 + UDP + IPv4 = 1500: no fragments on Ethernet. Up to 65464. */
  readonly blockBytes: number;
  /** Largest windowsize (RFC 7440). */
  readonly windowBlocks: number;
  /** First retransmission of a client whose round trip is not known yet, milliseconds. */
  readonly timeoutMs: number;
  /** Pauses double up to this, milliseconds. */
  readonly longestTimeoutMs: number;
  /** Retransmissions without progress before a transfer is given up. */
  readonly retries: number;
  /** The same before the first answer: an address that never answers may be a forged one. */
  readonly retriesUnanswered: number;
};

export const DEFAULT_LIMITS: TftpLimits = {
  transfersPerClient: 32,
  transfers: 1024,
  blockBytes: 1468,
  windowBlocks: 64,
  timeoutMs: 1000,
  longestTimeoutMs: 8000,
  retries: 6,
  retriesUnanswered: 3,
};
