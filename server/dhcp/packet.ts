import { MESSAGE, OPTION } from './option-codes.ts';
import { type Options, readOptions, writeOptions } from './options.ts';

/** A DHCP message (RFC 2131, 2), addresses as `10.0.0.1`. */
export type DhcpPacket = {
  readonly op: 'request' | 'reply';
  /** ARP's number for the kind of network: 1 is Ethernet. */
  readonly hardwareType: number;
  /** `chaddr` without its padding; 6 bytes on Ethernet, 16 at most. */
  readonly hardware: Buffer;
  /** How many relays it crossed. */
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  /** The client cannot take a unicast before it has an address. */
  readonly broadcast: boolean;
  /** The client's address if it has one, else `0.0.0.0`. */
  readonly ciaddr: string;
  /** The address that a server hands out. */
  readonly yiaddr: string;
  /** Next server: where the boot file is. */
  readonly siaddr: string;
  /** The relay that it came by, else `0.0.0.0`. */
  readonly giaddr: string;
  /** Empty where option 52 keeps options in the field. */
  readonly serverName: string;
  readonly file: string;
  readonly options: Options;
};

export type DhcpRefusal = { readonly refused: string };

export const NO_ADDRESS = '0.0.0.0';

/** Everything before the options, their magic cookie included. */
const HEAD_BYTES = 240;
const MAGIC_COOKIE = 0x63825363;
const SERVER_NAME = { at: 44, bytes: 64 };
const FILE = { at: 108, bytes: 128 };
const CHADDR_BYTES = 16;
const BROADCAST_FLAG = 0x8000;
/** RFC 1542, 2.1: relays may drop what is shorter. */
const SHORTEST_BYTES = 300;

/** The longest name that fits the `file` field with its NUL. */
export const FILE_FIELD_BYTES = FILE.bytes - 1;

/** @returns a refusal for what is no DHCP message, with the reason. Never throws. */
export function decode(datagram: Buffer): DhcpPacket | DhcpRefusal {
  if (datagram.length < HEAD_BYTES) return { refused: `${datagram.length} bytes are no DHCP message` };
  const op = datagram[0];
  if (op !== 1 && op !== 2) return { refused: `operation ${op} does not exist` };
  if (datagram.readUInt32BE(236) !== MAGIC_COOKIE) return { refused: 'it has no magic cookie: plain BOOTP' };
  const hardwareBytes = datagram[2] ?? 0;
  if (hardwareBytes > CHADDR_BYTES) return { refused: `a hardware address of ${hardwareBytes} bytes` };
  const serverName = datagram.subarray(SERVER_NAME.at, SERVER_NAME.at + SERVER_NAME.bytes);
  const file = datagram.subarray(FILE.at, FILE.at + FILE.bytes);
  const options = readOptions(datagram.subarray(HEAD_BYTES), { file, serverName });
  if ('refused' in options) return options;
  const overload = options.get(OPTION.overload)?.[0] ?? 0;
  return {
    op: op === 1 ? 'request' : 'reply',
    hardwareType: datagram[1] ?? 0,
    hardware: datagram.subarray(28, 28 + hardwareBytes),
    hops: datagram[3] ?? 0,
    xid: datagram.readUInt32BE(4),
    secs: datagram.readUInt16BE(8),
    broadcast: (datagram.readUInt16BE(10) & BROADCAST_FLAG) !== 0,
    ciaddr: addressText(datagram.subarray(12, 16)),
    yiaddr: addressText(datagram.subarray(16, 20)),
    siaddr: addressText(datagram.subarray(20, 24)),
    giaddr: addressText(datagram.subarray(24, 28)),
    serverName: overload & 2 ? '' : textUntilNul(serverName),
    file: overload & 1 ? '' : textUntilNul(file),
    options,
  };
}

/** `serverName` and `file` are cut where they do not fit; options are written in the order of their map. */
export function encode(packet: DhcpPacket): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head[0] = packet.op === 'request' ? 1 : 2;
  head[1] = packet.hardwareType;
  head[2] = packet.hardware.length;
  head[3] = packet.hops;
  head.writeUInt32BE(packet.xid, 4);
  head.writeUInt16BE(packet.secs, 8);
  head.writeUInt16BE(packet.broadcast ? BROADCAST_FLAG : 0, 10);
  const addresses = [packet.ciaddr, packet.yiaddr, packet.siaddr, packet.giaddr];
  for (const [index, address] of addresses.entries()) head.set(addressBytes(address), 12 + index * 4);
  head.set(packet.hardware.subarray(0, CHADDR_BYTES), 28);
  head.write(packet.serverName, SERVER_NAME.at, SERVER_NAME.bytes - 1, 'latin1');
  head.write(packet.file, FILE.at, FILE_FIELD_BYTES, 'latin1');
  head.writeUInt32BE(MAGIC_COOKIE, 236);
  const message = Buffer.concat([head, writeOptions(packet.options)]);
  const missing = SHORTEST_BYTES - message.length;
  return missing > 0 ? Buffer.concat([message, Buffer.alloc(missing)]) : message;
}

/** Option 53, or null: a BOOTP request, which no DHCP server need answer. */
export function messageType({ options }: DhcpPacket): number | null {
  const [type] = options.get(OPTION.messageType) ?? [];
  return type !== undefined && type >= MESSAGE.discover && type <= MESSAGE.inform ? type : null;
}

/** An option that is one address, or null. */
export function addressOption({ options }: DhcpPacket, code: number): string | null {
  const value = options.get(code);
  return value?.length === 4 ? addressText(value) : null;
}

/** `10.0.0.1` → its four bytes; anything else → 0.0.0.0. */
export function addressBytes(address: string): Buffer {
  const bytes = address.split('.').map(Number);
  const isAddress =
    bytes.length === 4 && bytes.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
  return isAddress ? Buffer.from(bytes) : Buffer.alloc(4);
}

function addressText(bytes: Buffer): string {
  return bytes.join('.');
}

function textUntilNul(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('latin1', 0, end === -1 ? field.length : end);
}
