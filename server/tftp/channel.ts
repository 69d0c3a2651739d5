/** The way to one client. With ports per transfer it is a port of its own; in single-port mode all share the door. */
export type Channel = {
  send(datagram: Buffer): void;
  /** Sends a last word, if there is one, and frees whatever is behind the channel. */
  close(last: Buffer | null): void;
};

/** `closed` resolves when all that is behind the channel is free. */
export type OpenedChannel = { readonly channel: Channel; readonly closed: Promise<void> };
