import type { Digest } from './digest.ts';

/** Questions about all hosts that are asked too often to read the hosts for them. */
export type HostLookups = {
  /** Hosts that take part, or wait to. */
  hostCount(): Promise<number>;
  /** The id of the host whose claim has this token, by the token's hash. */
  hostOfToken(tokenHash: string): Promise<string | null>;
  /**
   * Ids of hosts whose inventory holds this text, in any case of a to z: in what made system or board, its product and serial, or in the
   * address that it was sent from.
   */
  hostsDescribedBy(part: string): Promise<ReadonlySet<string>>;
  /** Images with a tag that holds this text, in any case. */
  imagesNamed(part: string): Promise<ReadonlySet<Digest>>;
};
