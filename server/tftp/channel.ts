/** The way to one client. With ports per transfer it is a port of its own; in single-port mode all share the door. */
export type Channel = {
  send(datagram: Buffer): void;
  /** Sends a last word, if there is one, and frees whatever is behind the channel. */
  close(last: Buffer | null): void;
};

/** `closed` resolves when all that is behind the channel is free. */
export type OpenedChannel = { readonly channel: Channel; readonly closed: Promise<void> };

/** @param free called once, after the last word */
export function openChannel(send: (datagram: Buffer) => void, free: () => Promise<void>): OpenedChannel {
  let open = true;
  let onClosed: (done: Promise<void>) => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  return {
    closed,
    channel: {
      send: (datagram) => {
        if (open) send(datagram);
      },
      close: (last) => {
        if (!open) return;
        open = false;
        if (last) send(last);
        onClosed(free());
      },
    },
  };
}
