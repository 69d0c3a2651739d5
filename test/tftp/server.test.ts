import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { fileOf, type TftpFile, type TftpFiles } from '../../server/tftp/files.ts';
import type { TftpLimits } from '../../server/tftp/limits.ts';
import { decode, encodeAck, encodeError, encodeRequest, type TftpOptions } from '../../server/tftp/packet.ts';
import { startTftp, type TftpService } from '../../server/tftp/server.ts';
import type { Peer } from '../../server/tftp/udp.ts';
import { PlayedNetwork, type Sent } from './played-network.ts';

const DOOR = 69;
const A: Peer = { address: '192.0.2.1', port: 2070 };
const B: Peer = { address: '192.0.2.2', port: 2070 };
const read = (name: string, options: TftpOptions = [], mode: 'octet' | 'netascii' = 'octet'): Buffer =>
  encodeRequest({ kind: 'read', name, mode, options });
const raw = (text: string): Buffer => Buffer.from(text, 'latin1');

let network: PlayedNetwork;
let sent: Sent[];
let opened: number;
let closed: number;
let services: TftpService[];

const files: TftpFiles = async (name): Promise<TftpFile | null> => {
  const content = { one: Buffer.alloc(5000, 1), two: Buffer.alloc(5000, 2) }[name];
  if (!content) return null;
  opened++;
  return { ...fileOf(content), close: () => void closed++ };
};

beforeEach(() => {
  vi.useFakeTimers();
  network = new PlayedNetwork();
  sent = [];
  network.onSend = (packet) => sent.push(packet);
  [opened, closed, services] = [0, 0, []];
});
afterEach(async () => {
  for (const service of services) await service.close();
  expect([network.ports, closed, vi.getTimerCount()]).toEqual([0, opened, 0]);
  vi.useRealTimers();
});

async function serve(singlePort: boolean, limits: Partial<TftpLimits> = {}, from = files): Promise<void> {
  services.push(await startTftp({ host: '0.0.0.0', port: DOOR, singlePort, files: from, limits, network }));
}
/** Delivers, lets all that waits on promises happen, and gives what was sent meanwhile. */
async function say(datagram: Buffer, from: Peer, toPort = DOOR): Promise<Sent[]> {
  sent = [];
  network.deliver(datagram, from, toPort);
  await vi.advanceTimersByTimeAsync(0);
  return sent;
}
const seen = (packets: readonly Sent[]) => packets.map(({ datagram }) => decode(datagram));
const dataOf = (packets: readonly Sent[]) =>
  seen(packets).map((packet) =>
    packet.kind === 'data' ? `${packet.block} of ${packet.data[0]}` : packet.kind,
  );

describe.each([
  ['a port for each transfer', false],
  ['single port', true],
])('%s', (_mode, singlePort) => {
  test('a transfer from its request to its end', async () => {
    await serve(singlePort);
    const [first] = await say(read('one'), A);
    expect(first?.fromPort === DOOR).toBe(singlePort);
    const port = first?.fromPort ?? 0;
    for (let block = 1; block < 10; block++)
      expect(dataOf(await say(encodeAck(block), A, port))).toEqual([`${block + 1} of 1`]);
    expect(await say(encodeAck(10), A, port)).toEqual([]);
    expect([closed, network.ports]).toEqual([1, 1]);
  });

  test('clients with the same port on two addresses do not touch each other', async () => {
    await serve(singlePort);
    const [one] = await say(read('one'), A);
    const [two] = await say(read('two'), B);
    for (let block = 1; block < 9; block++) {
      expect(dataOf(await say(encodeAck(block), A, one?.fromPort))).toEqual([`${block + 1} of 1`]);
      expect(dataOf(await say(encodeAck(block), B, two?.fromPort))).toEqual([`${block + 1} of 2`]);
    }
  });

  test('a copy of the request in the middle of the transfer does nothing', async () => {
    await serve(singlePort);
    const [first] = await say(read('one'), A);
    await say(encodeAck(1), A, first?.fromPort);
    expect(await say(read('one'), A)).toEqual([]);
    expect(dataOf(await say(encodeAck(2), A, first?.fromPort))).toEqual(['3 of 1']);
    expect(opened).toBe(1);
  });

  test('a request that comes again before the first answer was heard is answered again, its copies are not', async () => {
    await serve(singlePort);
    await say(read('one'), A);
    expect(await say(read('one'), A)).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    expect(dataOf(await say(read('one'), A))).toEqual(['1 of 1']);
    expect(await say(read('one'), A)).toEqual([]);
    expect(opened).toBe(1);
  });

  test('a client that begins anew with its old port is served anew once its old transfer stalls', async () => {
    await serve(singlePort);
    const [first] = await say(read('one'), A);
    await say(encodeAck(1), A, first?.fromPort);
    await vi.advanceTimersByTimeAsync(60);
    const [again] = await say(read('one'), A);
    expect(dataOf(again ? [again] : [])).toEqual(['1 of 1']);
    expect([opened, closed]).toEqual([2, 1]);
    expect(dataOf(await say(encodeAck(1), A, again?.fromPort))).toEqual(['2 of 1']);
  });

  test('another request from the same port ends the first transfer at once, in silence', async () => {
    await serve(singlePort);
    const [first] = await say(read('one'), A);
    await say(encodeAck(1), A, first?.fromPort);
    const answers = await say(read('two'), A);
    expect(dataOf(answers)).toEqual(['1 of 2']);
    expect(closed).toBe(1);
    expect(dataOf(await say(encodeAck(1), A, answers[0]?.fromPort))).toEqual(['2 of 2']);
  });

  test('the client changes its mind while the file is looked up: only the second is answered', async () => {
    const waiting: (() => void)[] = [];
    await serve(singlePort, {}, async (name, from) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return files(name, from);
    });
    await say(read('one'), A);
    await say(read('two'), A);
    sent = [];
    for (const found of waiting) found();
    await vi.advanceTimersByTimeAsync(0);
    expect(dataOf(sent)).toEqual(['1 of 2']);
  });

  test('the client ends a transfer by an ERROR', async () => {
    await serve(singlePort);
    const [first] = await say(read('one', [['tsize', '0']]), A);
    expect(await say(encodeError(0, 'enough'), A, first?.fromPort)).toEqual([]);
    expect(closed).toBe(1);
  });

  test('stopping tells the client', async () => {
    await serve(singlePort);
    const [first] = await say(read('one'), A);
    sent = [];
    await services[0]?.close();
    expect(seen(sent)).toMatchObject([{ kind: 'error', message: 'the server is stopping' }]);
    expect(sent[0]?.fromPort).toBe(first?.fromPort);
  });

  test('limits: of one address, of all', async () => {
    await serve(singlePort, { transfersPerClient: 2, transfers: 3 });
    const from = (address: string, port: number) => say(read('one'), { address, port });
    expect(dataOf([...(await from('a', 1)), ...(await from('a', 2))])).toEqual(['1 of 1', '1 of 1']);
    expect(seen(await from('a', 3))).toMatchObject([
      { kind: 'error', code: 0, message: '2 transfers of yours are open' },
    ]);
    expect(dataOf(await from('b', 1))).toEqual(['1 of 1']);
    expect(await from('c', 1)).toEqual([]); // full: silence, for the request comes again
    await vi.advanceTimersByTimeAsync(101);
    expect(dataOf(await from('c', 1))).toEqual(['1 of 1']); // the oldest that never answered has made room
    expect([opened, closed]).toEqual([4, 1]);
  });
});

test('a port for each transfer: an ACK that reaches the door is told so; an ERROR is never answered', async () => {
  await serve(false);
  expect(seen(await say(encodeAck(7), A))).toMatchObject([
    { kind: 'error', code: 5, message: 'no such transfer' },
  ]);
  expect(await say(encodeError(0, 'x'), A)).toEqual([]);
});

test('single port: a late ACK gets silence, for an ERROR could hit the next request of that port', async () => {
  await serve(true);
  expect(await say(encodeAck(7), A)).toEqual([]);
});

describe('ERROR texts', () => {
  test.each([
    ['a file that is not there', read('none'), 1, 'file not found'],
    ['a write', encodeRequest({ kind: 'write', name: 'x', mode: 'octet', options: [] }), 2, 'read only'],
    ['no such mode', raw('\0\x01one\0mail\0'), 4, 'mode is neither octet nor netascii'],
    ['no mode', raw('\0\x01one\0'), 4, 'without file name and mode'],
    ['no end', raw('\0\x01one\0octet'), 4, 'does not end with a zero byte'],
    ['options without end', raw('\0\x01one\0octet\0blksize\x00512'), 4, 'does not end with a zero byte'],
    ['no name', raw('\0\x01\0octet\0'), 4, 'empty file name'],
    ['an overlong name', read('x'.repeat(256)), 2, 'longer than 255 bytes'],
    ['an overlong request', read('one', [['x', 'y'.repeat(600)]]), 4, 'more than 512 bytes'],
    ['a name in another alphabet', raw('\0\x01\xe9\0octet\0'), 2, 'not printable ASCII'],
  ])('%s', async (_what, datagram, code, message) => {
    await serve(false);
    expect(seen(await say(datagram, A))).toMatchObject([
      { kind: 'error', code, message: expect.stringContaining(message) },
    ]);
  });

  test('options that break their RFC are left out of the answer, which tells the client that they do not hold', async () => {
    await serve(false);
    const options: TftpOptions = [
      ['blksize', '7'],
      ['windowsize', '0'],
      ['timeout', 'soon'],
      ['multicast', ''],
      ['tsize', '0'],
    ];
    expect(seen(await say(read('one', options), A))).toEqual([
      { kind: 'oack', options: [['tsize', '5000']] },
    ]);
    expect(dataOf(await say(read('one', options.slice(0, 4)), B))).toEqual(['1 of 1']);
  });
});

describe('a forged address gets little', () => {
  /** IPv4 and UDP headers. */
  const HEADERS = 28;
  /** Bytes that a victim gets in an hour for one forged datagram, as a multiple of the datagram's own. */
  const reflected = async (datagram: Buffer): Promise<number> => {
    await say(datagram, A);
    await vi.advanceTimersByTimeAsync(3_600_000);
    const bytes = sent.reduce((sum, packet) => sum + HEADERS + packet.datagram.length, 0);
    return bytes / (HEADERS + datagram.length);
  };

  test.each([false, true])('single port %s', async (singlePort) => {
    await serve(singlePort);
    // Four OACKs, none longer than the request.
    for (const options of [[['tsize', '0']], [['blksize', '1468']], [['windowsize', '64']]] as TftpOptions[])
      expect(await reflected(read('one', options))).toBeLessThan(4);
    // RFC 1350 wants one block for the shortest request. It is never repeated.
    expect(await reflected(read('one'))).toBeLessThan((HEADERS + 516) / (HEADERS + 11));
    for (const garbage of [
      read('no'),
      raw('\0\x01a\0'),
      raw('\0\x02a\0octet\0'),
      encodeAck(1),
      raw('\0\x01ab'),
    ])
      expect(await reflected(garbage)).toBeLessThan(2.5);
    expect(network.ports).toBe(1);
  });

  test('and many requests do not add up beyond the limits', async () => {
    await serve(false, { transfersPerClient: 8 });
    let bytes = 0;
    network.onSend = ({ datagram }) => {
      if (decode(datagram).kind === 'data') bytes += datagram.length;
    };
    for (let second = 0; second < 10; second++) {
      for (let port = 1; port <= 1000; port++)
        network.deliver(read('one'), { address: 'victim', port }, DOOR);
      await vi.advanceTimersByTimeAsync(1000);
    }
    // In each second eight new ones, and eight of the second before that came again.
    expect(bytes).toBeLessThanOrEqual(10 * 2 * 8 * 516);
  });
});
