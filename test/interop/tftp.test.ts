import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import tftp2 from 'tftp2';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fileOf, type TftpFile } from '../../server/tftp/files.ts';
import { decode, encodeRequest } from '../../server/tftp/packet.ts';
import { startTftp, type TftpService } from '../../server/tftp/server.ts';
import { runsAll } from '../all.ts';
import { seeded } from '../tftp/simulated-network.ts';
import { openRelay } from './lossy-relay.ts';

/** Real clients against the real server on loopback, in both of its modes; whole files are compared. */

const random = seeded(1);
const noise = (bytes: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: bytes }, () => random() * 256));
const FILES = new Map<string, Buffer>([
  ['empty', Buffer.alloc(0)],
  ['one-block', noise(512)],
  ['small', noise(100_001)],
  ['nbp', noise(1_000_000)],
  // 66,000 blocks of 512 bytes: the block number begins anew.
  ['large', noise(66_000 * 512 + 17)],
  ['text', Buffer.from('one\ntwo\r\nthree\rfour\n')],
]);
const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
const wanted = (name: string): string => sha256(FILES.get(name) ?? Buffer.from('no such file'));

let folder: string;
let server: TftpService;
let singlePort = false;
let opened = 0;
let closed = 0;

/** Counts, to see that every file that was opened is closed. */
async function files(name: string): Promise<TftpFile | null> {
  const content = FILES.get(name);
  if (!content) return null;
  opened++;
  return { ...fileOf(content), close: () => void closed++ };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warmboot-tftp-'));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(async () => {
  opened = 0;
  closed = 0;
  server = await startTftp({ host: '127.0.0.1', port: 0, singlePort, files });
});
afterEach(async () => {
  await server.close();
  expect(closed).toBe(opened);
});

type Client = (port: number, name: string, to: string) => Promise<unknown>;
const run = (command: string, ...args: string[]) => execa(command, args);

const CLIENTS: Record<string, Client> = {
  'tftp-hpa': (port, name, to) =>
    run('tftp', '-m', 'binary', '127.0.0.1', String(port), '-c', 'get', name, to),
  atftp: (port, name, to) => run('atftp', '--get', '-r', name, '-l', to, '127.0.0.1', String(port)),
  'atftp, blksize 1468, windowsize 16': (port, name, to) =>
    run(
      'atftp',
      ...['--option', 'blksize 1468', '--option', 'windowsize 16', '--option', 'tsize'],
      ...['--get', '-r', name, '-l', to, '127.0.0.1', String(port)],
    ),
  curl: (port, name, to) => run('curl', '-sSf', '-o', to, `tftp://127.0.0.1:${port}/${name}`),
  'curl, blksize 1428': (port, name, to) =>
    run('curl', '-sSf', '--tftp-blksize', '1428', '-o', to, `tftp://127.0.0.1:${port}/${name}`),
  'curl, blksize 8': (port, name, to) =>
    run('curl', '-sSf', '--tftp-blksize', '8', '-o', to, `tftp://127.0.0.1:${port}/${name}`),
  busybox: (port, name, to) => run('busybox', 'tftp', '-g', '-r', name, '-l', to, '127.0.0.1', String(port)),
  'busybox, blksize 1468': (port, name, to) =>
    run('busybox', 'tftp', '-b', '1468', '-g', '-r', name, '-l', to, '127.0.0.1', String(port)),
  'curl without options': (port, name, to) =>
    run('curl', '-sSf', '--tftp-no-options', '-o', to, `tftp://127.0.0.1:${port}/${name}`),
};

/** What takes seconds: the number begins anew once for each client, and once by a single port. */
function isTried(client: string, name: string, isSingle: boolean): boolean {
  if (client === 'curl, blksize 8' && name === 'large') return false; // nbp has 125,000 blocks already
  if (runsAll() || !['nbp', 'large'].includes(name)) return true;
  if (name === 'nbp') return client !== 'curl, blksize 8';
  return (isSingle ? ['curl'] : ['tftp-hpa', 'atftp', 'curl', 'busybox']).includes(client);
}

describe.each([
  ['a port for each transfer', false],
  ['single port', true],
])('%s', (_mode, isSingle) => {
  // Before the server is started for each test.
  beforeAll(() => {
    singlePort = isSingle;
  });
  afterAll(() => {
    singlePort = false;
  });

  describe.each(Object.entries(CLIENTS))('%s', (client, get) => {
    const names = ['one-block', 'small', 'nbp', 'large'].filter((name) => isTried(client, name, isSingle));
    test.each(names)('%s', async (name) => {
      const to = join(folder, 'got');
      await get(server.port, name, to);
      expect(sha256(await readFile(to))).toBe(wanted(name));
      await rm(to);
    });
  });

  describe("tftp2's client", () => {
    test.each(['empty', 'one-block', 'small', 'nbp'])('%s', async (name) => {
      const client = tftp2('127.0.0.1', server.port);
      const got: Buffer[] = [];
      await client.read(
        name,
        (data) => void got.push(data),
        () => undefined,
      );
      client.close();
      expect(sha256(Buffer.concat(got))).toBe(wanted(name));
    });
  });

  // On a busy machine clients ask again at other moments, other datagrams are lost, and atftp gives up after a few in a row.
  describe('a network that loses, repeats and reorders 5 %', { retry: 1 }, () => {
    const lossy = [
      ['tftp-hpa', 'small', 1],
      ['atftp', 'small', 2],
      ['atftp, blksize 1468, windowsize 16', 'nbp', 3],
      ['curl, blksize 1428', runsAll() ? 'nbp' : 'small', 4],
      ['busybox, blksize 1468', runsAll() ? 'nbp' : 'small', 5],
    ] as const;
    // All at once: they mostly wait for what is lost.
    test('each client gets its file', async () => {
      const got = await Promise.all(
        lossy.map(async ([client, name, seed]) => {
          const relay = await openRelay({ to: server.port, seed, loss: 0.05, repeat: 0.05, reorder: 0.05 });
          const to = join(folder, `lossy-${seed}`);
          await CLIENTS[client]?.(relay.port, name, to);
          await relay.close();
          return [client, sha256(await readFile(to)), relay.lost() > 0];
        }),
      );
      expect(got).toEqual(lossy.map(([client, name]) => [client, wanted(name), true]));
    });
  });

  test('a storm of garbage, then a good transfer from the same address', async () => {
    const socket = createSocket('udp4');
    const request = encodeRequest({
      kind: 'read',
      name: 'small',
      mode: 'octet',
      options: [['blksize', '1468']],
    });
    for (let sent = 0; sent < 20_000; sent++) {
      const datagram = sent % 3 === 0 ? Buffer.from(request) : noise(Math.floor(random() * 40));
      if (datagram.length > 0) datagram[Math.floor(random() * datagram.length)] = random() * 256;
      await new Promise((resolve) => socket.send(datagram, server.port, '127.0.0.1', resolve));
    }
    socket.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const to = join(folder, 'after');
    await run('tftp', '-m', 'binary', '127.0.0.1', String(server.port), '-c', 'get', 'nbp', to);
    expect(sha256(await readFile(to))).toBe(wanted('nbp'));
  });

  test('100 clients at once all finish', async () => {
    const limits = { transfersPerClient: 100 };
    const service = await startTftp({ host: '127.0.0.1', port: 0, singlePort, files, limits });
    const got = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const client = tftp2('127.0.0.1', service.port);
        const parts: Buffer[] = [];
        await client.read(
          'small',
          (data) => void parts.push(data),
          () => undefined,
        );
        client.close();
        return sha256(Buffer.concat(parts));
      }),
    );
    expect(new Set(got)).toEqual(new Set([wanted('small')]));
    await service.close();
  });
});

describe('texts', () => {
  test('netascii, there and back with tftp-hpa', async () => {
    const to = join(folder, 'text');
    await run('tftp', '-m', 'ascii', '127.0.0.1', String(server.port), '-c', 'get', 'text', to);
    expect(await readFile(to)).toEqual(FILES.get('text'));
  });

  test('a file that is not there, in words', async () => {
    const { stdout } = await run(
      'tftp',
      '127.0.0.1',
      String(server.port),
      '-c',
      'get',
      'nothing',
      join(folder, 'x'),
    );
    expect(stdout).toContain('file not found');
  });

  test('nothing is written here', async () => {
    const from = join(folder, 'up');
    await execa('sh', ['-c', 'echo x > "$0"', from]);
    const { stdout } = await run('tftp', '127.0.0.1', String(server.port), '-c', 'put', from, 'up');
    expect(stdout).toContain('read only');
  });
});

describe('by hand', () => {
  const open = async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    /** @param after a block, which may come again */
    const next = async (after = 0) => {
      for (;;) {
        const [datagram, from] = await once(socket, 'message');
        const packet = decode(datagram);
        if (packet.kind !== 'data' || packet.block > after) return { packet, from: from as { port: number } };
      }
    };
    return {
      socket,
      next,
      send: (datagram: Buffer, port: number) => socket.send(datagram, port, '127.0.0.1'),
    };
  };
  const request = encodeRequest({ kind: 'read', name: 'small', mode: 'octet', options: [] });
  const ack = (block: number): Buffer => Buffer.from([0, 4, block >> 8, block & 255]);

  test('a stranger is told error 5, and the transfer goes on', async () => {
    const [client, stranger] = [await open(), await open()];
    client.send(request, server.port);
    const first = await client.next();
    stranger.send(ack(1), first.from.port);
    expect((await stranger.next()).packet).toMatchObject({ kind: 'error', code: 5 });
    client.send(ack(1), first.from.port);
    expect((await client.next(1)).packet).toMatchObject({ kind: 'data', block: 2 });
    client.socket.close();
    stranger.socket.close();
  });

  test('a repeated request is the same transfer, not a second one', async () => {
    const client = await open();
    for (let sent = 0; sent < 5; sent++) client.send(request, server.port);
    const first = await client.next();
    client.send(ack(1), first.from.port);
    const second = await client.next(1);
    expect(second).toMatchObject({ packet: { kind: 'data', block: 2 }, from: { port: first.from.port } });
    expect(opened).toBe(1);
    client.socket.close();
  });

  test('one client has so many transfers and no more', async () => {
    const service = await startTftp({ host: '127.0.0.1', port: 0, files, limits: { transfersPerClient: 2 } });
    const clients = [await open(), await open(), await open()];
    const answers = [];
    for (const client of clients) {
      client.send(request, service.port);
      answers.push((await client.next()).packet);
    }
    expect(answers).toMatchObject([{ kind: 'data' }, { kind: 'data' }, { kind: 'error', code: 0 }]);
    await service.close();
    for (const client of clients) client.socket.close();
  });

  test('a full server is silent, for the request comes again', async () => {
    const service = await startTftp({ host: '127.0.0.1', port: 0, files, limits: { transfers: 1 } });
    const [one, other] = [await open(), await open()];
    one.send(request, service.port);
    const { from } = await one.next();
    // It is there: nobody else gets its place.
    one.send(ack(1), from.port);
    await one.next(1);
    const heard = other.next();
    const ask = setInterval(() => other.send(request, service.port), 50);
    expect(await Promise.race([heard, new Promise((resolve) => setTimeout(resolve, 200, 'silence'))])).toBe(
      'silence',
    );
    one.send(Buffer.from('\0\x05\0\0enough\0', 'latin1'), from.port);
    expect((await heard).packet).toMatchObject({ kind: 'data', block: 1 });
    clearInterval(ask);
    await service.close();
    one.socket.close();
    other.socket.close();
  });

  test('close() tells the clients', async () => {
    const client = await open();
    const service = await startTftp({ host: '127.0.0.1', port: 0, files });
    client.send(request, service.port);
    await client.next();
    const last = client.next(1);
    await service.close();
    expect((await last).packet).toMatchObject({ kind: 'error', message: 'the server is stopping' });
    client.socket.close();
  });

  test('close() leaves no socket and no timer: a process with nothing else ends by itself', async () => {
    const here = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
    const program = `
      import { createSocket } from 'node:dgram';
      import { startTftp } from ${here('../../server/tftp/server.ts')};
      import { fileOf } from ${here('../../server/tftp/files.ts')};
      const files = async () => fileOf('x'.repeat(9999));
      const server = await startTftp({ host: '127.0.0.1', port: 0, files });
      const client = createSocket('udp4').on('message', async () => {
        client.close();
        await server.close();
        console.log('closed');
      });
      client.send('\\0\\x01f\\0octet\\0', server.port, '127.0.0.1');`;
    const flags = ['--input-type=module', '-e', program];
    const { stdout } = await execa(process.execPath, flags);
    expect(stdout).toBe('closed');
  });

  test('IPv6', async () => {
    const service = await startTftp({ host: '::1', port: 0, files });
    const to = join(folder, 'six');
    await run('curl', '-sSf', '-o', to, `tftp://[::1]:${service.port}/small`);
    expect(sha256(await readFile(to))).toBe(wanted('small'));
    await service.close();
  });
});
