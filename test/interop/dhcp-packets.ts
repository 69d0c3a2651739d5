/** A client's half of DHCP, for tests: requests as firmware and iPXE send them, and the answers read (RFC 2131, RFC 2132). */

/** Option code → value in hex, so that it passes as JSON. */
type Options = { readonly [code: number]: string };

export type Client = {
  /** 0 to 255, the last byte of its MAC and of its transactions. */
  readonly number: number;
  /** Besides message type, address and server. */
  readonly options: Options;
};

export type Answer = {
  readonly address: string;
  /** The field `siaddr`. */
  readonly nextServer: string;
  /** Option 67, or else the field `file`. */
  readonly bootFile: string;
  readonly options: Options;
};

const HEADER_BYTES = 236;
const COOKIE = '63825363';
const DISCOVER = '01';
const REQUEST = '03';

const hex = (text: string) => Buffer.from(text, 'latin1').toString('hex');
const byte = (value: number) => value.toString(16).padStart(2, '0');

/** PXE firmware, or with `HTTPClient` UEFI HTTP boot (RFC 4578; UEFI 2.10, 24.7.3.1). */
export function firmware(number: number, architecture: number, kind = 'PXEClient'): Client {
  const options = {
    // Subnet mask, router, DNS, vendor's, server, class, boot server and boot file: what all firmware asks for.
    55: '0103062b363c4243',
    57: '05c0',
    60: hex(`${kind}:Arch:${String(architecture).padStart(5, '0')}:UNDI:003016`),
    93: `00${byte(architecture)}`,
    94: '010310',
    97: `00${byte(number).repeat(16)}`,
  };
  return { number, options };
}

/** iPXE goes on sending its firmware's architecture, and its own user class and feature list besides. */
export function ipxe(number: number, architecture: number): Client {
  const { options } = firmware(number, architecture);
  return { number, options: { ...options, 77: hex('iPXE'), 175: 'b105011af41000130101' } };
}

/** DHCPDISCOVER, or DHCPREQUEST for what was offered. Asks for a broadcast: it has no address to be reached at. */
export function encode({ number, options }: Client, offer?: Answer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.set([1, 1, 6, 0, 0, 0, 0, number]);
  header.set([0x80, 0], 10);
  header.set([0x52, 0x54, 0, 0, 0x77, number], 28);
  const taken = offer && {
    50: offer.address.split('.').map(Number).map(byte).join(''),
    54: offer.options[54],
  };
  const body = Object.entries({ 53: offer ? REQUEST : DISCOVER, ...taken, ...options })
    .map(([code, value = '']) => byte(Number(code)) + byte(value.length / 2) + value)
    .join('');
  return Buffer.concat([header, Buffer.from(`${COOKIE}${body}ff`, 'hex')]);
}

/** @returns null for what is no answer to this client */
export function decode(datagram: Buffer, { number }: Client): Answer | null {
  if (datagram[0] !== 2 || datagram[7] !== number) return null;
  const options: { [code: number]: string } = {};
  for (let at = HEADER_BYTES + 4; at + 1 < datagram.length && datagram[at] !== 255; ) {
    const [code = 0, length = 0] = datagram.subarray(at);
    if (code === 0) {
      at++;
      continue;
    }
    options[code] = datagram.toString('hex', at + 2, at + 2 + length);
    at += 2 + length;
  }
  const file =
    options[67] === undefined ? datagram.subarray(108, HEADER_BYTES) : Buffer.from(options[67], 'hex');
  return {
    address: datagram.subarray(16, 20).join('.'),
    nextServer: datagram.subarray(20, 24).join('.'),
    bootFile: file.toString('latin1').split('\0')[0] ?? '',
    options,
  };
}
