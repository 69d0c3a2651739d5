/** Questions about all hosts that are asked too often to read the hosts for them. */
export type HostLookups = {
  /** Hosts that take part, or wait to. */
  hostCount(): Promise<number>;
  /** The id of the host whose claim has this token, by the token's hash. */
  hostOfToken(tokenHash: string): Promise<string | null>;
  /** Ids of hosts whose system or board has a serial that holds this text, in any case. */
  hostsWithSerial(part: string): Promise<ReadonlySet<string>>;
};
