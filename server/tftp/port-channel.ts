import { type OpenedChannel, openChannel } from './channel.ts';
import { decode, ERROR_CODE, encodeError, type Refusal, type TftpPacket } from './packet.ts';
import type { Network, Peer } from './udp.ts';

/** Strangers told about their mistake, in one transfer: a port must not become a mirror for forged addresses. */
const STRANGERS_ANSWERED = 8;

type Given = {
  readonly network: Network;
  /** Address to bind to. */
  readonly host: string;
  readonly client: Peer;
  /** Gets only what came from the client's own address and port. */
  readonly onPacket: (packet: TftpPacket | Refusal) => void;
};

/** Ports-per-transfer, as RFC 1350 (4) has it: the server's transfer ID is the port of a new socket. */
export async function openPortChannel({ network, host, client, onPacket }: Given): Promise<OpenedChannel> {
  let strangers = 0;
  const own = await network.openTransferPort(host, (datagram, from) => {
    const packet = decode(datagram);
    if (from.address === client.address && from.port === client.port) {
      onPacket(packet);
      return;
    }
    if (packet.kind === 'refused' || packet.kind === 'error' || from.port === 0) return;
    if (strangers++ >= STRANGERS_ANSWERED) return;
    own.send(encodeError(ERROR_CODE.unknownId, 'unknown transfer ID'), from);
  });
  return openChannel(
    (datagram) => own.send(datagram, client),
    () => own.close(),
  );
}
