import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decode,
  ERROR_CODE,
  encodeAck,
  encodeData,
  encodeError,
  encodeOack,
  encodeRequest,
} from '../../server/tftp/packet.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Seen on the wire from the programs named; written down as strings, for that is what they are. */
const RECORDED = {
  ovmf: bytes('\0\x01ipxe.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0'),
  ipxe: bytes('\0\x01autoexec.ipxe\0octet\0blksize\x001432\0tsize\x000\0'),
  tftpHpa: bytes('\0\x01undionly.kpxe\0netascii\0'),
  curl: bytes('\0\x01f\0octet\0tsize\x000\0blksize\x00512\0timeout\x006\0'),
};

describe('requests', () => {
  test('OVMF', () => {
    expect(decode(RECORDED.ovmf)).toEqual({
      kind: 'read',
      name: 'ipxe.efi',
      mode: 'octet',
      options: [
        ['tsize', '0'],
        ['blksize', '1468'],
        ['windowsize', '4'],
      ],
    });
  });

  test('the order of options is kept: it tells iPXE from firmware', () => {
    const packet = decode(RECORDED.ipxe);
    expect(packet.kind === 'read' && packet.options.map(([name]) => name)).toEqual(['blksize', 'tsize']);
  });

  test('modes and option names in any case, the first of a repeated option', () => {
    expect(decode(bytes('\0\x01f\0OcTeT\0BLKSIZE\x001024\0blksize\x008\0'))).toMatchObject({
      mode: 'octet',
      options: [['blksize', '1024']],
    });
    expect(decode(RECORDED.tftpHpa)).toMatchObject({ mode: 'netascii', options: [] });
  });

  test('the byte that old boot ROMs take along with the name', () => {
    expect(decode(bytes('\0\x01undionly.kpxe\xff\0octet\0'))).toMatchObject({ name: 'undionly.kpxe' });
    expect(decode(bytes('\0\x01\xff\0octet\0'))).toMatchObject({ kind: 'refused' });
    expect(decode(bytes('\0\x01f\xff\xff\0octet\0'))).toMatchObject({ kind: 'refused' });
  });

  test('padding and a lone word after the mode do not spoil a request', () => {
    expect(decode(bytes('\0\x01f\0octet\0\0'))).toMatchObject({ kind: 'read', options: [] });
    expect(decode(bytes('\0\x01f\0octet\0blksize\0'))).toMatchObject({ kind: 'read', options: [] });
  });

  test.each([
    ['not ended', '\0\x01f\0octet', ERROR_CODE.illegal],
    ['no mode', '\0\x01file\0', ERROR_CODE.illegal],
    ['no name', '\0\x01\0octet\0', ERROR_CODE.illegal],
    ['mail', '\0\x01f\0mail\0', ERROR_CODE.illegal],
    ['longer than 512 bytes', `\0\x01f\0octet\0x\0${'y'.repeat(600)}\0`, ERROR_CODE.illegal],
    ['name longer than 255', `\0\x01${'y'.repeat(256)}\0octet\0`, ERROR_CODE.access],
    // tftp2's parser would make `ipxe.efi` of this one: it drops the high bit.
    ['non-ASCII', '\0\x01\xe9pxe.efi\0octet\0', ERROR_CODE.access],
    ['a control character', '\0\x01a\nb\0octet\0', ERROR_CODE.access],
  ])('%s: refused with a text', (_what, text, code) => {
    const packet = decode(bytes(text));
    expect(packet).toMatchObject({ kind: 'refused', reply: { code } });
  });
});

describe('what is no request is refused in silence', () => {
  test.each([
    ['nothing', ''],
    ['one byte', '\0'],
    ['three bytes', '\0\x01a'],
    ['opcode 0', '\0\0\0\0'],
    ['opcode 7', '\0\x07abc'],
    ['an OACK with an odd word', '\0\x06blksize\0'],
  ])('%s', (_what, text) => {
    expect(decode(bytes(text))).toMatchObject({ kind: 'refused', reply: null });
  });
});

describe('encoding', () => {
  test('the wire has 16 bits of a block number', () => {
    expect(encodeData(65536, bytes('x'))).toEqual(bytes('\0\x03\0\0x'));
    expect(encodeAck(65537)).toEqual(bytes('\0\x04\0\x01'));
  });

  test('blocks larger than 512 bytes are whole', () => {
    expect(encodeData(1, Buffer.alloc(1468)).length).toBe(1472);
  });

  test('an ERROR is ASCII, ends, and stays short', () => {
    const datagram = encodeError(ERROR_CODE.access, `no é ${'x'.repeat(500)}`);
    expect(datagram.length).toBeLessThanOrEqual(133);
    expect(datagram.at(-1)).toBe(0);
    expect(decode(datagram)).toMatchObject({ kind: 'error', code: 2 });
  });

  test('what is written is read again', () => {
    const option = fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.stringMatching(/^[0-9]{0,5}$/));
    fc.assert(
      fc.property(
        fc.constantFrom('read' as const, 'write' as const),
        fc.stringMatching(/^[ -~]{1,100}$/),
        fc.constantFrom('octet' as const, 'netascii' as const),
        fc.uniqueArray(option, { selector: ([name]) => name, maxLength: 6 }),
        (kind, name, mode, options) => {
          const request = { kind, name, mode, options };
          expect(decode(encodeRequest(request))).toEqual(request);
          if (options.length > 0) expect(decode(encodeOack(options))).toEqual({ kind: 'oack', options });
        },
      ),
    );
  });
});

test('random and mutated datagrams never throw, and no refusal has a text that cannot be sent', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(
        ...Object.values(RECORDED),
        encodeAck(1),
        encodeData(1, Buffer.alloc(9)),
        encodeOack([['tsize', '1']]),
      ),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
      fc.nat(80),
    )
    .map(([recorded, changes, cut]) => {
      const datagram = Buffer.from(recorded);
      for (const [at, value] of changes) if (at < datagram.length) datagram[at] = value;
      return datagram.subarray(0, Math.max(0, datagram.length - (cut > 40 ? 0 : cut)));
    });
  const random = fc.uint8Array({ maxLength: 600 }).map((values) => Buffer.from(values));
  fc.assert(
    fc.property(fc.oneof(mutated, random), (datagram) => {
      const packet = decode(datagram);
      if (packet.kind === 'read' || packet.kind === 'write') expect(packet.name).toMatch(/^[ -~]{1,255}$/);
      if (packet.kind === 'refused' && packet.reply) {
        const sent = encodeError(packet.reply.code, packet.reply.message);
        expect(decode(sent)).toMatchObject({ kind: 'error', message: packet.reply.message });
      }
    }),
    { numRuns: 20_000 },
  );
});
