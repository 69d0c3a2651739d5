import type { RemoteInfo } from 'node:dgram';
import { openTransferSocket } from './door.ts';
import { decode, ERROR_CODE, encodeError } from './packet.ts';
import type { Channel } from './session.ts';

/** Strangers told about their mistake, in one transfer: a port must not become a mirror for forged addresses. */
const STRANGERS_ANSWERED = 8;

type Given = {
  /** Address to bind to. */
  readonly host: string;
  readonly client: Pick<RemoteInfo, 'address' | 'port'>;
  /** Gets only what came from the client's own address and port. */
  readonly onDatagram: (datagram: Buffer) => void;
};

/** Ports-per-transfer, as RFC 1350 (4) has it: the server's transfer ID is the port of a new socket. */
export async function openPortChannel({
  host,
  client,
  onDatagram,
}: Given): Promise<{ channel: Channel; closed: Promise<void> }> {
  let strangers = 0;
  const socket = await openTransferSocket(host, (datagram, from) => {
    if (from.address === client.address && from.port === client.port) {
      onDatagram(datagram);
      return;
    }
    const { kind } = decode(datagram);
    if (kind === 'refused' || kind === 'error' || from.port === 0) return;
    if (strangers++ >= STRANGERS_ANSWERED) return;
    const answer = encodeError(ERROR_CODE.unknownId, 'unknown transfer ID');
    socket.send(answer, from.port, from.address, () => undefined);
  });
  // An error of one socket is that transfer's lost packet; its timer and its retry limit deal with it.
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', resolve));
  let open = true;
  const channel: Channel = {
    send: (datagram) => {
      if (open) socket.send(datagram, client.port, client.address, () => undefined);
    },
    close: (last) => {
      if (!open) return;
      open = false;
      if (last) socket.send(last, client.port, client.address, () => socket.close());
      else socket.close();
    },
  };
  return { channel, closed };
}
