import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OPTION } from '../../server/dhcp/option-codes.ts';
import { type Options, readSubOptions, writeOptions } from '../../server/dhcp/options.ts';
import { addressBytes, type DhcpPacket, decode, encode, messageType } from '../../server/dhcp/packet.ts';
import { decoded, RECORDED, recorded, recordedPacket } from './recorded.ts';

describe('recorded packets', () => {
  test('the fields of OVMF', () => {
    expect(recordedPacket('ovmf-pxe-discover')).toMatchObject({
      op: 'request',
      hardwareType: 1,
      hardware: Buffer.from('525400000002', 'hex'),
      broadcast: true,
      ciaddr: '0.0.0.0',
      file: '',
    });
    expect(messageType(recordedPacket('ovmf-pxe-discover'))).toBe(1);
    expect(messageType(recordedPacket('ovmf-pxe-boot-server'))).toBe(3);
    expect(recordedPacket('ovmf-http-discover').options.get(OPTION.vendorClass)?.toString()).toBe(
      'HTTPClient:Arch:00016:UNDI:003000',
    );
    expect(recordedPacket('ipxe-rom-boot-server').ciaddr).toBe('10.77.0.135');
  });

  test.each(RECORDED)('%s, written again, says the same', (name) => {
    const packet = recordedPacket(name);
    expect(decoded(encode(packet))).toEqual(packet);
  });
});

const address = fc.ipV4();
const code = fc.integer({ min: 1, max: 254 }).filter((each) => each !== OPTION.overload);
const value = fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes));
const options = fc
  .uniqueArray(fc.tuple(code, value), { maxLength: 12, selector: ([each]) => each })
  .map((pairs): Options => new Map(pairs));
const word = (max: number) => fc.string({ unit: fc.constantFrom(...'abcXYZ09./-'), maxLength: max });
const packets = fc.record<DhcpPacket>({
  op: fc.constantFrom('request', 'reply'),
  hardwareType: fc.nat(255),
  hardware: fc.uint8Array({ maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
  hops: fc.nat(255),
  xid: fc.nat(0xffffffff),
  secs: fc.nat(0xffff),
  broadcast: fc.boolean(),
  ciaddr: address,
  yiaddr: address,
  siaddr: address,
  giaddr: address,
  serverName: word(63),
  file: word(127),
  options,
});

test('whatever is written is read as it was, options of more than 255 bytes with it (RFC 3396)', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const datagram = encode(packet);
      expect(datagram.length).toBeGreaterThanOrEqual(300);
      expect(decoded(datagram)).toEqual(packet);
    }),
  );
});

test('no bytes make it throw, and what it takes can be written', () => {
  const cookie = Buffer.from('63825363', 'hex');
  const bytes = fc.uint8Array({ maxLength: 600 }).map((each) => Buffer.from(each));
  const headed = fc.tuple(fc.uint8Array({ minLength: 236, maxLength: 236 }), bytes).map(([head, rest]) => {
    head[0] = 1 + ((head[0] ?? 0) & 1);
    return Buffer.concat([head, cookie, rest]);
  });
  fc.assert(
    fc.property(fc.oneof(bytes, headed), (datagram) => {
      const packet = decode(datagram);
      if (!('refused' in packet)) encode(packet);
      readSubOptions(datagram);
    }),
    { numRuns: 2000 },
  );
});

describe('options', () => {
  /** A packet with this behind the cookie, and the two fields that may hold options. */
  function packetWith(field: Buffer, file = Buffer.alloc(0), serverName = Buffer.alloc(0)): Buffer {
    const head = Buffer.alloc(240);
    head.set([1, 1, 6]);
    serverName.copy(head, 44);
    file.copy(head, 108);
    head.writeUInt32BE(0x63825363, 236);
    return Buffer.concat([head, field]);
  }

  test('option 52 says that there are more in `file` and `sname`, in this order (RFC 3396, 7)', () => {
    const field = Buffer.from([52, 1, 3, 67, 2, 0x61, 0x62, 255]);
    const packet = decoded(
      packetWith(field, Buffer.from([67, 1, 0x63, 255]), Buffer.from([67, 1, 0x64, 66, 1, 0x65, 255])),
    );
    expect(packet.options.get(OPTION.bootFile)?.toString()).toBe('abcd');
    expect(packet.options.get(OPTION.tftpServerName)?.toString()).toBe('e');
    expect([packet.file, packet.serverName]).toEqual(['', '']);
  });

  test.each([
    [1, 'abc', undefined],
    [2, undefined, 'd'],
    [0, undefined, undefined],
  ])('overload %i', (overload, file, serverName) => {
    const packet = decoded(
      packetWith(
        Buffer.from([52, 1, overload, 255]),
        Buffer.from([67, 3, 0x61, 0x62, 0x63, 255]),
        Buffer.from([66, 1, 0x64, 255]),
      ),
    );
    expect(packet.options.get(OPTION.bootFile)?.toString()).toBe(file);
    expect(packet.options.get(OPTION.tftpServerName)?.toString()).toBe(serverName);
  });

  test('a missing End, pads, and what follows End', () => {
    expect([...decoded(packetWith(Buffer.from([0, 0, 53, 1, 1]))).options.keys()]).toEqual([53]);
    expect([...decoded(packetWith(Buffer.from([53, 1, 1, 255, 60, 9]))).options.keys()]).toEqual([53]);
  });

  test('an empty option is one', () => {
    expect(writeOptions(new Map([[80, Buffer.alloc(0)]]))).toEqual(Buffer.from([80, 0, 255]));
  });

  test.each([
    ['an option without a length', packetWith(Buffer.from([53])), 'option 53 runs past its end'],
    ['a length past the end', packetWith(Buffer.from([60, 9, 1])), 'option 60 runs past its end'],
    [
      'the same in an overloaded field',
      packetWith(Buffer.from([52, 1, 2, 255]), Buffer.alloc(0), Buffer.alloc(64, 200)),
      'option 200 runs past its end',
    ],
    ['a short datagram', Buffer.alloc(239), '239 bytes are no DHCP message'],
    ['no operation', Buffer.alloc(300), 'operation 0 does not exist'],
    ['BOOTP', Buffer.concat([Buffer.from([1]), Buffer.alloc(299)]), 'it has no magic cookie: plain BOOTP'],
  ])('%s is refused', (_, datagram, refused) => {
    expect(decode(datagram)).toEqual({ refused });
  });

  test('a hardware address that is too long is refused', () => {
    const datagram = packetWith(Buffer.from([255]));
    datagram[2] = 17;
    expect(decode(datagram)).toEqual({ refused: 'a hardware address of 17 bytes' });
  });
});

test('a message type that does not exist is none', () => {
  const packet = recordedPacket('ovmf-pxe-discover');
  for (const bytes of [[], [0], [9], [255]])
    expect(
      messageType({ ...packet, options: new Map([[OPTION.messageType, Buffer.from(bytes)]]) }),
    ).toBeNull();
});

test('an address that is none is written as none', () => {
  expect(addressBytes('10.0.0.1')).toEqual(Buffer.from([10, 0, 0, 1]));
  for (const text of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', 'fe80::1', '1.2.3.x'])
    expect(addressBytes(text)).toEqual(Buffer.alloc(4));
});

test('recorded packets are there whole', () => {
  for (const name of RECORDED) expect(recorded(name).length).toBeGreaterThan(300);
});
