import type { BootFile, BootOffer, NoOffer } from './decide.ts';
import { MESSAGE, OPTION, PXE_OPTION } from './option-codes.ts';
import { type Options, readSubOptions, writeOptions } from './options.ts';
import { addressBytes, type DhcpPacket, encode, FILE_FIELD_BYTES, NO_ADDRESS } from './packet.ts';

/** From where an answer is given. */
export type ProxyPlace = {
  /** Ours on the client's network. */
  readonly address: string;
  /** Where that network finds our TFTP; null: TFTP is off. */
  readonly tftpAddress: string | null;
  /** As hosts are told, without a slash at its end. */
  readonly bootUrl: string;
};

export type Reply = { readonly datagram: Buffer; readonly file: string };

/** Bit 3: take the boot file of this very answer, with no menu, no prompt and no search for boot servers (PXE 2.1, table 2-1). */
const TAKE_BOOT_FILE = 8;
/** What every client must take in one datagram (RFC 2131, 2), and the headers in front of the message. */
const LEAST_DATAGRAM_BYTES = 576;
const IP_UDP_BYTES = 28;

/** The answer as a datagram. No address is in it but ours. */
export function reply(request: DhcpPacket, offer: BootOffer, place: ProxyPlace): Reply | NoOffer {
  const file = fileText(offer.file, place);
  if (file === null)
    return {
      kind: 'none',
      reason: 'its firmware loads by TFTP, and TFTP is off (--tftp-listen)',
      level: 'warn',
    };
  const server = offer.file.by === 'tftp' && place.tftpAddress !== null ? place.tftpAddress : place.address;
  const packet: DhcpPacket = {
    op: 'reply',
    hardwareType: request.hardwareType,
    hardware: request.hardware,
    hops: 0,
    xid: request.xid,
    secs: 0,
    broadcast: request.broadcast,
    ciaddr: offer.kind === 'ack' ? request.ciaddr : NO_ADDRESS,
    yiaddr: NO_ADDRESS,
    siaddr: server,
    giaddr: request.giaddr,
    serverName: '',
    file: file.length <= FILE_FIELD_BYTES ? file : '',
    options: replyOptions(request, offer, { address: place.address, server, file }),
  };
  const datagram = encode(packet);
  const most = mostBytes(request);
  if (datagram.length > most)
    return {
      kind: 'none',
      reason: `the answer has ${datagram.length} bytes, and it takes ${most}`,
      level: 'warn',
    };
  return { datagram, file };
}

function fileText(file: BootFile, { tftpAddress, bootUrl }: ProxyPlace): string | null {
  switch (file.by) {
    case 'script':
      return `${bootUrl}/boot.ipxe`;
    case 'http':
      return `${bootUrl}/boot/nbp/${file.name}`;
    case 'tftp':
      return tftpAddress === null ? null : file.name;
    default:
      return file satisfies never;
  }
}

type Told = { readonly address: string; readonly server: string; readonly file: string };

/** In the order in which they are written; relays want their own option last (RFC 3046, 2.2). */
function replyOptions(
  request: DhcpPacket,
  { kind, client }: BootOffer,
  { address, server, file }: Told,
): Options {
  const options = new Map<number, Buffer>();
  options.set(OPTION.messageType, Buffer.from([kind === 'offer' ? MESSAGE.offer : MESSAGE.ack]));
  options.set(OPTION.serverId, addressBytes(address));
  // Without it neither PXE firmware nor iPXE takes an answer for that of a proxy; HTTP firmware wants its own word.
  options.set(OPTION.vendorClass, Buffer.from(client.kind === 'http' ? 'HTTPClient' : 'PXEClient', 'latin1'));
  options.set(OPTION.tftpServerName, Buffer.from(server, 'latin1'));
  options.set(OPTION.bootFile, Buffer.from(file, 'latin1'));
  if (client.machineId) options.set(OPTION.machineId, client.machineId);
  if (client.kind !== 'http') options.set(OPTION.vendorOptions, pxeOptions(request, kind));
  const relayAgent = request.options.get(OPTION.relayAgent);
  if (relayAgent) options.set(OPTION.relayAgent, relayAgent);
  return options;
}

/** A boot server says again which item of its menu was asked for. */
function pxeOptions(request: DhcpPacket, kind: BootOffer['kind']): Buffer {
  const inside = new Map<number, Buffer>([[PXE_OPTION.discoveryControl, Buffer.from([TAKE_BOOT_FILE])]]);
  const asked = kind === 'ack' ? request.options.get(OPTION.vendorOptions) : undefined;
  const wanted = asked && readSubOptions(asked);
  const item = wanted && !('refused' in wanted) ? wanted.get(PXE_OPTION.bootItem) : undefined;
  if (item?.length === 4) inside.set(PXE_OPTION.bootItem, item);
  return writeOptions(inside);
}

/** Option 57 says how much the client takes; less than what all take is no answer to that (RFC 2132, 9.10). */
function mostBytes({ options }: DhcpPacket): number {
  const said = options.get(OPTION.maxMessageSize);
  const bytes = said?.length === 2 ? said.readUInt16BE(0) : 0;
  return Math.max(bytes, LEAST_DATAGRAM_BYTES) - IP_UDP_BYTES;
}
