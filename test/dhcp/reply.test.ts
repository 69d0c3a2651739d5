import { describe, expect, test } from 'vitest';
import { parseSelector, type Selector } from '../../server/core/selector.ts';
import { decide, type KnownHost, type ProxyLimits, wantedAnswer } from '../../server/dhcp/decide.ts';
import { netbootClient } from '../../server/dhcp/netboot-client.ts';
import { OPTION } from '../../server/dhcp/option-codes.ts';
import type { DhcpPacket } from '../../server/dhcp/packet.ts';
import { type ProxyPlace, reply } from '../../server/dhcp/reply.ts';
import { decoded, RECORDED, recordedPacket, withOptions } from './recorded.ts';

const PLACE: ProxyPlace = {
  address: '10.0.0.1',
  tftpAddress: '10.0.0.1',
  bootUrl: 'http://boot.example:8080',
};
const ALL: ProxyLimits = { clients: 'all', selector: null };

function answered(request: DhcpPacket, place = PLACE, kind: 'offer' | 'ack' = 'offer') {
  const client = netbootClient(request);
  if (!client) throw new Error('no netboot client');
  const decision = decide(client, kind, null, ALL);
  return decision.kind === 'none' ? decision : reply(request, decision, place);
}

function answerOf(request: DhcpPacket, place = PLACE, kind: 'offer' | 'ack' = 'offer'): DhcpPacket {
  const made = answered(request, place, kind);
  if ('kind' in made) throw new Error(made.reason);
  return decoded(made.datagram);
}

/** Options for people: text where they are text. */
function shown({ options }: DhcpPacket): Record<number, string> {
  const texts: readonly number[] = [OPTION.vendorClass, OPTION.tftpServerName, OPTION.bootFile];
  return Object.fromEntries(
    [...options].map(([code, value]) => [
      code,
      texts.includes(code) ? value.toString() : value.toString('hex'),
    ]),
  );
}

const ID = '00'.repeat(17);

describe('what recorded firmware is told', () => {
  test.each([
    [
      'ovmf-pxe-discover',
      'offer',
      'ipxe.efi',
      { 53: '02', 54: '0a000001', 60: 'PXEClient', 66: '10.0.0.1', 67: 'ipxe.efi', 97: ID, 43: '060108ff' },
    ],
    [
      'ovmf-pxe-boot-server',
      'ack',
      'ipxe.efi',
      { 53: '05', 54: '0a000001', 60: 'PXEClient', 66: '10.0.0.1', 67: 'ipxe.efi', 97: ID, 43: '060108ff' },
    ],
    [
      'ovmf-http-discover',
      'offer',
      'http://boot.example:8080/boot/nbp/ipxe.efi',
      {
        53: '02',
        54: '0a000001',
        60: 'HTTPClient',
        66: '10.0.0.1',
        67: 'http://boot.example:8080/boot/nbp/ipxe.efi',
        97: ID,
      },
    ],
    ...(['ipxe-rom-discover', 'ipxe-efi-discover'] as const).map(
      (name) =>
        [
          name,
          'offer',
          'http://boot.example:8080/boot.ipxe',
          {
            53: '02',
            54: '0a000001',
            60: 'PXEClient',
            66: '10.0.0.1',
            67: 'http://boot.example:8080/boot.ipxe',
            97: ID,
            43: '060108ff',
          },
        ] as const,
    ),
  ] as const)('%s', (name, kind, file, options) => {
    const request = recordedPacket(name);
    const packet = answerOf(request, PLACE, kind);
    expect(packet).toMatchObject({
      op: 'reply',
      xid: request.xid,
      hardware: request.hardware,
      broadcast: request.broadcast,
      yiaddr: '0.0.0.0',
      siaddr: '10.0.0.1',
      giaddr: '0.0.0.0',
      file,
    });
    expect(shown(packet)).toEqual(options);
  });

  test('an order of options that old firmware likes: the type first', () => {
    expect(answerOf(recordedPacket('ovmf-pxe-discover')).options.keys().next().value).toBe(53);
  });
});

describe('by architecture', () => {
  const pxe = recordedPacket('ovmf-pxe-discover');
  const http = recordedPacket('ovmf-http-discover');
  const as = (packet: DhcpPacket, ...architectures: number[]) =>
    withOptions(packet, { [OPTION.architecture]: Buffer.from(architectures.flatMap((each) => [0, each])) });
  const url = 'http://boot.example:8080/boot/nbp';

  test.each([
    ['BIOS', as(pxe, 0), 'undionly.kpxe'],
    ['a client that does not say', withOptions(pxe, { [OPTION.architecture]: null }), 'undionly.kpxe'],
    ['UEFI x86-64', as(pxe, 7), 'ipxe.efi'],
    ['UEFI that says EBC', as(pxe, 9), 'ipxe.efi'],
    ['UEFI arm64', as(pxe, 11), 'ipxe-arm64.efi'],
    ['HTTP, x86-64', as(http, 16), `${url}/ipxe.efi`],
    ['HTTP, arm64', as(http, 19), `${url}/ipxe-arm64.efi`],
    // What it loads by is told by its class.
    ['HTTP, with the number for TFTP', as(http, 7), `${url}/ipxe.efi`],
    ['TFTP, with the number for HTTP', as(pxe, 16), 'ipxe.efi'],
    ['the first that is known', as(pxe, 6, 7), 'ipxe.efi'],
    [
      'an iPXE without HTTP',
      withOptions(recordedPacket('ipxe-rom-discover'), { [OPTION.ipxe]: Buffer.from([33, 1, 1]) }),
      'undionly.kpxe',
    ],
  ])('%s', (_, request, file) => {
    expect(answerOf(request).options.get(OPTION.bootFile)?.toString()).toBe(file);
  });

  test.each([
    [as(pxe, 6), 'UEFI on 32-bit x86'],
    [as(http, 15), 'UEFI HTTP boot on 32-bit x86'],
    [as(pxe, 99), 'client architecture 99 is not known'],
  ])('is refused in words', (request, reason) => {
    expect(answered(request)).toMatchObject({ kind: 'none', reason: expect.stringContaining(reason) });
  });
});

describe('the answer', () => {
  const request = recordedPacket('ovmf-pxe-discover');

  test('TFTP may be elsewhere, and the server id stays ours', () => {
    const packet = answerOf(request, { ...PLACE, tftpAddress: '10.0.0.9' });
    expect(packet.siaddr).toBe('10.0.0.9');
    expect(shown(packet)).toMatchObject({ 54: '0a000001', 66: '10.0.0.9' });
  });

  test('without TFTP those that need none are served', () => {
    const place = { ...PLACE, tftpAddress: null };
    expect(answered(request, place)).toMatchObject({ reason: expect.stringContaining('TFTP is off') });
    expect(answerOf(recordedPacket('ovmf-http-discover'), place).siaddr).toBe('10.0.0.1');
    expect(answerOf(recordedPacket('ipxe-rom-discover'), place).file).toContain('/boot.ipxe');
  });

  test('a URL that is too long for the field is in its option alone', () => {
    const bootUrl = `http://boot.example:8080/${'x'.repeat(120)}`;
    const packet = answerOf(recordedPacket('ipxe-rom-discover'), { ...PLACE, bootUrl });
    expect(packet.file).toBe('');
    expect(packet.options.get(OPTION.bootFile)?.toString()).toBe(`${bootUrl}/boot.ipxe`);
  });

  test('what the client cannot take is not sent', () => {
    const small = withOptions(recordedPacket('ipxe-rom-discover'), {
      [OPTION.maxMessageSize]: Buffer.from([0, 1]),
    });
    const bootUrl = `http://boot.example:8080/${'x'.repeat(300)}`;
    expect(answered(small, { ...PLACE, bootUrl })).toMatchObject({
      reason: expect.stringMatching(/takes 548$/),
    });
    expect(answerOf(small).file).toContain('/boot.ipxe');
  });

  test('what a relay wrote goes back to it, last (RFC 3046)', () => {
    const agent = Buffer.from('0104deadbeef', 'hex');
    const packet = answerOf({ ...withOptions(request, { [OPTION.relayAgent]: agent }), giaddr: '10.9.0.1' });
    expect(packet.giaddr).toBe('10.9.0.1');
    expect([...packet.options].at(-1)).toEqual([OPTION.relayAgent, agent]);
  });

  test('a boot server names the item that was asked for', () => {
    const asked = withOptions(recordedPacket('ovmf-pxe-boot-server'), {
      [OPTION.vendorOptions]: Buffer.from([71, 4, 0x80, 0, 0, 0, 255]),
    });
    expect(shown(answerOf(asked, PLACE, 'ack'))[43]).toBe('060108470480000000ff');
    for (const bad of [
      [71, 3, 1, 2, 3],
      [71, 200],
    ]) {
      const packet = withOptions(asked, { [OPTION.vendorOptions]: Buffer.from(bad) });
      expect(shown(answerOf(packet, PLACE, 'ack'))[43]).toBe('060108ff');
    }
  });

  test('the address that the client has stays in a boot server answer, and none is given', () => {
    const packet = answerOf(recordedPacket('ipxe-rom-boot-server'), PLACE, 'ack');
    expect([packet.ciaddr, packet.yiaddr]).toEqual(['10.77.0.135', '0.0.0.0']);
  });

  test.each(RECORDED)('%s: no option of an address server is in it', (name) => {
    const codes = [...answerOf(recordedPacket(name)).options.keys()];
    for (const code of [1, 3, 6, 51, 58, 59]) expect(codes).not.toContain(code);
  });
});

describe('which packets are answered', () => {
  const request = recordedPacket('ovmf-pxe-discover');
  const typed = (type: number | null) =>
    withOptions(request, { [OPTION.messageType]: type === null ? null : Buffer.from([type]) });
  test.each([
    [1, 'offer', null],
    [3, null, 'ack'],
    [8, null, 'ack'],
    [2, null, null],
    [4, null, null],
    [5, null, null],
    [6, null, null],
    [7, null, null],
    [null, null, null],
  ])('type %j: %j on 67, %j on 4011', (type, onDhcp, onBootServer) => {
    expect(wantedAnswer(typed(type), 'dhcp')).toBe(onDhcp);
    expect(wantedAnswer(typed(type), 'boot-server')).toBe(onBootServer);
  });
  test('never an answer, or two servers could talk for ever', () => {
    expect(wantedAnswer({ ...request, op: 'reply' }, 'dhcp')).toBeNull();
    expect(wantedAnswer({ ...typed(3), op: 'reply' }, 'boot-server')).toBeNull();
  });
});

describe('whom it serves', () => {
  const host = (status: KnownHost['status'], labels = {}): KnownHost => ({ status, labels });
  const rack = parseSelector('rack=r1') as Selector;
  const known: ProxyLimits = { clients: 'known', selector: null };
  const labelled: ProxyLimits = { clients: 'all', selector: rack };
  test.each([
    ['anybody', ALL, null, null],
    ['anybody, also the retired', ALL, host('retired'), null],
    ['a stranger', known, null, 'is not enrolled'],
    ['one that waits', known, host('discovered'), 'waits for approval'],
    ['one that is ignored', known, host('ignored'), 'is ignored'],
    ['one that is retired', known, host('retired'), 'is retired'],
    ['one that is approved', known, host('approved'), null],
    ['a stranger, by labels', labelled, null, 'is not enrolled'],
    ['one with the label', labelled, host('approved', { rack: 'r1' }), null],
    ['one with another', labelled, host('approved', { rack: 'r2' }), 'are not those that are served'],
  ])('%s', (_, limits, known, reason) => {
    const client = netbootClient(recordedPacket('ipxe-rom-discover'));
    if (!client) throw new Error('none');
    const decision = decide(client, 'offer', known, limits);
    expect(decision.kind === 'none' ? decision.reason : null).toEqual(
      reason === null ? null : expect.stringContaining(reason),
    );
  });
});
