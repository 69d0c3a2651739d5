import tftp2 from 'tftp2';

const { Packet } = tftp2;

/**
 * TFTP datagrams as values (RFC 1350; options: RFC 2347). Pure; `decode` gives a value or a refusal and never throws.
 * `tftp2` lends its opcodes, its request parser (after the checks without which it throws, reads past the end or
 * masks the high bit of a name) and its ACK: see docs/decisions/0001-tftp2.md.
 */

/** RFC 2347 adds opcode 6, which tftp2 does not know. */
export const OPCODE = { ...Packet.OPCODE, OACK: 6 } as const;

/** RFC 1350, appendix; 8 from RFC 2347. */
export const ERROR_CODE = {
  undefined: 0,
  notFound: 1,
  access: 2,
  illegal: 4,
  unknownId: 5,
  options: 8,
} as const;
export type ErrorCode = (typeof ERROR_CODE)[keyof typeof ERROR_CODE];

/** Option names are in lower case here (RFC 2347: case-insensitive), in the order in which they were asked. */
export type TftpOptions = readonly (readonly [name: string, value: string])[];

export type Request = {
  readonly kind: 'read' | 'write';
  /** Printable ASCII, 1 to 255 bytes; nothing else is known about it. */
  readonly name: string;
  readonly mode: 'octet' | 'netascii';
  readonly options: TftpOptions;
};

export type TftpPacket =
  | Request
  | { readonly kind: 'data'; readonly block: number; readonly data: Buffer }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'oack'; readonly options: TftpOptions };

/** `reply` is what a requester should be told; null when it was no request at all, and silence is the answer. */
export type Refusal = {
  readonly kind: 'refused';
  readonly reason: string;
  readonly reply: { readonly code: ErrorCode; readonly message: string } | null;
};

/** RFC 2347 section 2: a request fits into 512 bytes. */
const MAX_REQUEST_BYTES = 512;
const MAX_NAME_BYTES = 255;
const PRINTABLE = /^[\x20-\x7e]+$/;

export function decode(datagram: Buffer): TftpPacket | Refusal {
  if (datagram.length < 4) return silent(`${datagram.length} bytes are no TFTP packet`);
  const opcode = datagram.readUInt16BE(0);
  switch (opcode) {
    case OPCODE.RRQ:
    case OPCODE.WRQ:
      return decodeRequest(datagram, opcode === OPCODE.RRQ ? 'read' : 'write');
    case OPCODE.DATA:
      return { kind: 'data', block: datagram.readUInt16BE(2), data: datagram.subarray(4) };
    case OPCODE.ACK:
      return { kind: 'ack', block: datagram.readUInt16BE(2) };
    case OPCODE.ERROR:
      return { kind: 'error', code: datagram.readUInt16BE(2), message: messageOf(datagram) };
    case OPCODE.OACK: {
      const words = stringsOf(datagram.subarray(2));
      const options = words && pairs(words);
      return options ? { kind: 'oack', options } : silent('an OACK whose options do not come in pairs');
    }
    default:
      return silent(`opcode ${opcode} is not TFTP`);
  }
}

function decodeRequest(datagram: Buffer, kind: 'read' | 'write'): Request | Refusal {
  if (datagram.length > MAX_REQUEST_BYTES) return illegal(`request of more than ${MAX_REQUEST_BYTES} bytes`);
  const words = stringsOf(datagram.subarray(2));
  if (words === null) return illegal('request does not end with a zero byte');
  if (words.length < 2) return illegal('request without file name and mode');
  // Only now is tftp2's parser safe: both strings are there and end.
  const parsed = Packet.parse(datagram);
  // Some old boot ROMs take the byte behind DHCP option 67 along, most often the 255 that ends the options.
  const name = (words[0] ?? '').replace(/\xff$/, '');
  if (name.length === 0) return illegal('empty file name');
  if (name.length > MAX_NAME_BYTES) return denied(`file name longer than ${MAX_NAME_BYTES} bytes`);
  if (!PRINTABLE.test(name)) return denied('file name is not printable ASCII');
  const mode = (parsed.mode ?? '').toLowerCase();
  if (mode !== 'octet' && mode !== 'netascii') return illegal('mode is neither octet nor netascii');
  // Some boot ROMs pad their request with zero bytes: a lone word at the end is no option.
  const options = pairs(words.slice(2, words.length - (words.length % 2))) ?? [];
  return { kind, name, mode, options };
}

/** @returns the zero-terminated strings of which a body consists, or null if the last one does not end. */
function stringsOf(body: Buffer): string[] | null {
  if (body.length === 0 || body[body.length - 1] !== 0) return null;
  return body.toString('latin1', 0, body.length - 1).split('\0');
}

/** Names in lower case with their values; the first of a repeated name counts (RFC 2347: no option twice). Null: an odd word. */
function pairs(words: readonly string[]): TftpOptions | null {
  if (words.length % 2 !== 0) return null;
  const found = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) {
    const name = (words[at] ?? '').toLowerCase();
    if (name !== '' && !found.has(name)) found.set(name, words[at + 1] ?? '');
  }
  return [...found];
}

/** For the log: what a peer wrote, on one line, however it was cut off. */
function messageOf(datagram: Buffer): string {
  const [text = ''] = datagram.toString('latin1', 4).split('\0', 1);
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 128);
}

function silent(reason: string): Refusal {
  return { kind: 'refused', reason, reply: null };
}

function illegal(reason: string): Refusal {
  return { kind: 'refused', reason, reply: { code: ERROR_CODE.illegal, message: reason } };
}

function denied(reason: string): Refusal {
  return { kind: 'refused', reason, reply: { code: ERROR_CODE.access, message: reason } };
}

/** `block` is the absolute number; the wire has its low 16 bits, so 65535 is followed by 0. */
export function encodeData(block: number, data: Uint8Array): Buffer {
  // Not tftp2's createData: it cuts at 512 bytes.
  const datagram = Buffer.allocUnsafe(4 + data.length);
  datagram.writeUInt16BE(OPCODE.DATA, 0);
  datagram.writeUInt16BE(block % 65536, 2);
  datagram.set(data, 4);
  return datagram;
}

export function encodeAck(block: number): Buffer {
  return Packet.createAck(block % 65536);
}

/** @param message becomes ASCII of at most 128 characters, so that an answer is not much larger than a request. */
export function encodeError(code: ErrorCode, message: string): Buffer {
  const text = Buffer.from(message.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 128), 'latin1');
  const datagram = Buffer.alloc(5 + text.length);
  datagram.writeUInt16BE(OPCODE.ERROR, 0);
  datagram.writeUInt16BE(code, 2);
  datagram.set(text, 4);
  return datagram;
}

export function encodeOack(options: TftpOptions): Buffer {
  const body = options.map(([name, value]) => `${name}\0${value}\0`).join('');
  return Buffer.concat([Buffer.from([0, OPCODE.OACK]), Buffer.from(body, 'latin1')]);
}

/** For clients: the tests, and `doctor`. */
export function encodeRequest({ kind, name, mode, options }: Request): Buffer {
  const plain = Packet.createRequest(kind === 'read' ? OPCODE.RRQ : OPCODE.WRQ, name, mode);
  const asked = options.map(([option, value]) => `${option}\0${value}\0`).join('');
  return Buffer.concat([plain, Buffer.from(asked, 'latin1')]);
}
