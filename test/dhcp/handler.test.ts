import { beforeEach, describe, expect, test } from 'vitest';
import { type Outgoing, type ProxyDhcpConfig, proxyHandler } from '../../server/dhcp/handler.ts';
import type { UsableInterface } from '../../server/dhcp/interfaces.ts';
import { encode } from '../../server/dhcp/packet.ts';
import { decoded, recorded, recordedPacket, withOptions } from './recorded.ts';

const eth1 = { name: 'eth1', address: '10.1.0.1', cidr: '10.1.0.1/24', mac: '52:54:00:00:01:01' };
const eth2 = { name: 'eth2', address: '10.2.0.1', cidr: '10.2.0.1/24', mac: '52:54:00:00:02:01' };
const CLIENT = { address: '0.0.0.0', port: 68 };

let sent: Outgoing[];
let lines: [string, Record<string, unknown>][];
let now: number;
beforeEach(() => {
  sent = [];
  lines = [];
  now = 0;
});

function handler(
  config: Partial<ProxyDhcpConfig> = {},
  network: { interfaces?: readonly UsableInterface[]; takesRelayed?: boolean } = {},
) {
  const line = (level: string) => (fields: object, text: string) =>
    void lines.push([`${level}: ${text}`, fields as Record<string, unknown>]);
  const logger = { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
  return proxyHandler(
    {
      limits: { clients: 'all', selector: null },
      bootUrl: 'http://10.1.0.1:8080',
      tftpHost: '0.0.0.0',
      logger,
      clock: () => now,
      knownHost: async () => null,
      ...config,
    },
    {
      interfaces: () => network.interfaces ?? [eth1, eth2],
      takesRelayed: network.takesRelayed ?? true,
      send: (outgoing) => void sent.push(outgoing),
    },
  );
}

const said = () => lines.map(([text]) => text);
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a machine that asks all is answered in every network, from the address there', () => {
  handler()({ datagram: recorded('ovmf-pxe-discover'), from: CLIENT, at: null });
  expect(sent.map(({ to }) => to)).toEqual(['broadcast', 'broadcast']);
  expect(sent.map((each) => ('on' in each ? each.on.name : null))).toEqual(['eth1', 'eth2']);
  expect(sent.map(({ datagram }) => decoded(datagram).siaddr)).toEqual(['10.1.0.1', '10.2.0.1']);
  expect(lines).toEqual([
    [
      'info: proxyDHCP offer',
      { client: '52:54:00:00:00:02', firmware: 'UEFI x86-64', file: 'ipxe.efi', by: 'DHCP port' },
    ],
  ]);
});

test('a boot server request is answered where it came from', () => {
  const from = { address: '10.2.0.77', port: 4011 };
  handler()({ datagram: recorded('ovmf-pxe-boot-server'), from, at: eth2 });
  expect(sent).toEqual([{ to: 'direct', on: eth2, ...from, datagram: expect.any(Buffer) }]);
  expect(said()).toEqual(['info: proxyDHCP ack']);
});

describe('relays', () => {
  const relayed = (giaddr: string) => encode({ ...recordedPacket('ovmf-pxe-discover'), giaddr, hops: 1 });
  test.each([
    ['in one of our networks', '10.2.0.254', '10.2.0.1'],
    ['beyond a router', '10.9.0.1', '10.1.0.1'],
  ])('%s', (_, giaddr, address) => {
    handler()({ datagram: relayed(giaddr), from: { address: giaddr, port: 67 }, at: null });
    expect(sent).toEqual([{ to: 'relay', address: giaddr, datagram: expect.any(Buffer) }]);
    expect(decoded(sent[0]?.datagram ?? Buffer.alloc(0)).siaddr).toBe(address);
  });

  test('they are left to the DHCP server that shares the machine', () => {
    handler({}, { takesRelayed: false })({ datagram: relayed('10.2.0.254'), from: CLIENT, at: null });
    expect([sent, lines]).toEqual([[], []]);
  });
});

test.each([
  ['port 0', recorded('ovmf-pxe-discover'), { address: '10.1.0.9', port: 0 }],
  [
    'an ordinary client',
    encode(withOptions(recordedPacket('ovmf-pxe-discover'), { 60: Buffer.from('x') })),
    CLIENT,
  ],
  ['a request for an address', recorded('ovmf-pxe-boot-server'), CLIENT],
])('%s is met with silence, in the log too', (_, datagram, from) => {
  handler()({ datagram, from, at: null });
  expect([sent, lines]).toEqual([[], []]);
});

test('what is no DHCP message is for those who debug', () => {
  handler()({ datagram: Buffer.from('hello'), from: CLIENT, at: null });
  expect(lines).toEqual([
    ['debug: DHCP datagram ignored', { from: '0.0.0.0', reason: '5 bytes are no DHCP message' }],
  ]);
});

test('where no interface is served the log says so', () => {
  handler({}, { interfaces: [] })({ datagram: recorded('ovmf-pxe-discover'), from: CLIENT, at: null });
  expect(lines).toEqual([
    ['warn: proxyDHCP gives no answer', { client: '52:54:00:00:00:02', reason: 'no interface is served' }],
  ]);
});

test('TFTP on one address is named as such', () => {
  handler({ tftpHost: '10.1.0.9' })({ datagram: recorded('ovmf-pxe-discover'), from: CLIENT, at: null });
  expect(sent.map(({ datagram }) => decoded(datagram).siaddr)).toEqual(['10.1.0.9', '10.1.0.9']);
});

describe('known hosts alone', () => {
  const limits = { clients: 'known', selector: null } as const;

  test('are looked up by MAC', async () => {
    const asked: string[] = [];
    const take = handler({
      limits,
      knownHost: async (mac) => {
        asked.push(mac);
        return mac.endsWith('02') ? { status: 'approved', labels: {} } : null;
      },
    });
    take({ datagram: recorded('ovmf-pxe-discover'), from: CLIENT, at: null });
    take({ datagram: recorded('ipxe-rom-discover'), from: CLIENT, at: null });
    await settled();
    expect(asked).toEqual(['52:54:00:00:00:02', '52:54:00:00:00:01']);
    expect(sent.length).toBe(2);
    expect(said()).toEqual(['info: proxyDHCP offer', 'info: proxyDHCP gives no answer']);
    expect(lines[1]?.[1].reason).toContain('is not enrolled');
  });

  test('a store that fails costs one answer', async () => {
    let fails = true;
    const take = handler({
      limits,
      knownHost: async () => {
        if (fails) throw new Error('disk full');
        return { status: 'approved', labels: {} };
      },
    });
    take({ datagram: recorded('ovmf-pxe-discover'), from: CLIENT, at: null });
    await settled();
    expect(said()).toEqual(['warn: DHCP request failed']);
    fails = false;
    take({ datagram: recorded('ovmf-pxe-discover'), from: CLIENT, at: null });
    await settled();
    expect(sent.length).toBe(2);
  });

  test('so many may wait, and when the store answers others may again', async () => {
    const waiting: (() => void)[] = [];
    const take = handler({
      limits,
      knownHost: () =>
        new Promise((resolve) => waiting.push(() => resolve({ status: 'approved', labels: {} }))),
    });
    const datagram = recorded('ovmf-pxe-discover');
    for (let count = 0; count < 1000; count++) take({ datagram, from: CLIENT, at: null });
    expect(waiting.length).toBe(256);
    for (const answer of waiting.splice(0)) answer();
    await settled();
    take({ datagram, from: CLIENT, at: null });
    expect(waiting.length).toBe(1);
  });

  test('an address that no machine has is not looked up', () => {
    const packet = recordedPacket('ovmf-pxe-discover');
    handler({ limits, knownHost: () => Promise.reject(new Error('asked')) })({
      datagram: encode({ ...packet, hardware: Buffer.from('ffffffffffff', 'hex') }),
      from: CLIENT,
      at: null,
    });
    expect(said()).toEqual(['info: proxyDHCP gives no answer']);
  });

  test('firmware that cannot be served is a warning', () => {
    const packet = withOptions(recordedPacket('ovmf-pxe-discover'), { 93: Buffer.from([0, 6]) });
    handler()({ datagram: encode(packet), from: CLIENT, at: null });
    expect(lines[0]?.[0]).toBe('warn: proxyDHCP gives no answer');
    expect(lines[0]?.[1].reason).toContain('UEFI on 32-bit x86');
  });
});

describe('the log', () => {
  const ask = (take: ReturnType<typeof handler>, last = 2) =>
    take({
      datagram: encode({
        ...recordedPacket('ovmf-pxe-discover'),
        hardware: Buffer.from([0x52, 0x54, 0, last >> 16, last >> 8, last]),
      }),
      from: CLIENT,
      at: null,
    });

  test('says the same about the same machine once a minute', () => {
    const take = handler();
    for (now = 0; now < 130_000; now += 5_000) ask(take);
    expect(said().filter((line) => line.startsWith('info'))).toHaveLength(3);
    expect(said().filter((line) => line.startsWith('debug'))).toHaveLength(23);
  });

  test('says something new at once', () => {
    const take = handler();
    ask(take);
    take({ datagram: recorded('ipxe-efi-discover'), from: CLIENT, at: null });
    ask(take);
    expect(said()).toEqual(Array(3).fill('info: proxyDHCP offer'));
  });

  test('is bounded whoever makes up addresses, and says how much it left out', () => {
    const take = handler({}, { interfaces: [eth1] });
    for (let count = 0; count < 10_000; count++) ask(take, count);
    expect(said().filter((line) => line.startsWith('info'))).toHaveLength(1000);
    now = 60_000;
    ask(take, 1);
    expect(lines.find(([text]) => text.startsWith('warn'))).toEqual([
      'warn: proxyDHCP lines left out',
      { lines: 9000 },
    ]);
    expect(said().at(-1)).toBe('info: proxyDHCP offer');
  });
});
