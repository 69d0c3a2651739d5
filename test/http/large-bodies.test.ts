import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bodyRoom } from '../../server/http/body-room.ts';
import { listen } from '../../server/http/listen.ts';
import { problemOf } from '../../server/http/problem.ts';
import { Machine } from '../fixtures/machine.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

const GIB = 1024 ** 3;
const PIECE = Buffer.alloc(64 * 1024, 'x');

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

/** Sends a head and then as much as is taken of a GiB. @returns what came back, and how much was sent */
async function flood(
  base: string,
  head: string,
  isChunked: boolean,
): Promise<{ answer: string; sent: number }> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname).on('error', () => {});
  let answer = '';
  socket.on('data', (data) => {
    answer += data;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const length = isChunked ? 'transfer-encoding: chunked' : `content-length: ${GIB}`;
  socket.write(`${head}host: x\r\ncontent-type: application/json\r\n${length}\r\n\r\n`);
  const piece = isChunked
    ? Buffer.concat([Buffer.from(`${PIECE.length.toString(16)}\r\n`), PIECE, Buffer.from('\r\n')])
    : PIECE;
  let sent = 0;
  while (sent < GIB && !socket.destroyed && socket.writable) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain').catch(() => {}), closed]);
    sent += PIECE.length;
  }
  await closed;
  return { answer, sent };
}

describe.each([
  ['its length is said', false],
  ['it comes in chunks', true],
])('1 GB of JSON of which %s', (_, isChunked) => {
  test.each(['hosts', 'builds', 'discovery', 'uploads', 'session'])('admin plane, %s', async (path) => {
    const method = path === 'discovery' ? 'PUT' : 'POST';
    const head = `${method} /api/v1/${path} HTTP/1.1\r\nauthorization: Bearer ${server.token}\r\n`;
    const { answer, sent } = await flood(server.running.adminUrl, head, isChunked);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('application/problem+json');
    // Of an upload 256 MiB are read where nobody said how many come.
    expect(sent).toBeLessThan(GIB / 2);
  });

  test('admin plane, without a token: nothing of it is read', async () => {
    const { answer, sent } = await flood(
      server.running.adminUrl,
      'POST /api/v1/uploads HTTP/1.1\r\n',
      isChunked,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(sent).toBeLessThan(GIB / 4);
  });

  test.each(['claims', 'reports', 'inventory'])('boot plane, %s', async (path) => {
    const { mac } = await new Machine(server).enrol();
    const head = `POST /boot/hosts/${mac}/${path} HTTP/1.1\r\n`;
    const { answer, sent } = await flood(server.running.boot?.url ?? '', head, isChunked);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(sent).toBeLessThan(GIB / 4);
  });
});

test('it leaves nothing in memory', () => {
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(GIB / 2);
});

describe('all bodies together', () => {
  const MOST = 1000;
  async function reading() {
    const room = bodyRoom(10 * MOST);
    const app = new Hono<{ Bindings: HttpBindings }>();
    const quiet = () => {};
    app.onError((error, c) => problemOf(c, error, { debug: quiet, info: quiet, warn: quiet, error: quiet }));
    app.post('/', async (c) => c.text(`${(await room.read(c.env.incoming, MOST)).length} bytes`));
    const at = await listen(app as never, { host: '127.0.0.1', port: 0 });
    const sockets: Socket[] = [];
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      await at.close();
    });
    /** Sends the head of a body of `MOST` bytes, and `bytes` of it. */
    const begin = (bytes: number) => {
      const socket = connect(at.port, '127.0.0.1').on('error', quiet);
      sockets.push(socket);
      socket.write(
        `POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${MOST}\r\n\r\n${'x'.repeat(bytes)}`,
      );
      let answer = '';
      socket.on('data', (data) => {
        answer += data;
      });
      return { socket, answer: () => answer };
    };
    return { room, begin };
  }

  test('never take more than their room: the slowest is given up for those that come', async () => {
    const { room, begin } = await reading();
    const slow = Array.from({ length: 12 }, () => begin(MOST - 1));
    await expect.poll(() => slow.filter(({ answer }) => answer().includes('503')).length).toBe(2);
    expect(room.held()).toBeLessThanOrEqual(10 * MOST);
    const refused = slow.find(({ answer }) => answer().includes('503'))?.answer();
    expect(refused).toContain('retry-after: 5');
    const quick = begin(MOST);
    await expect.poll(quick.answer).toContain('1000 bytes');
    for (const { socket } of slow) socket.destroy();
    await expect.poll(() => room.held()).toBe(0);
  });

  test('and what was refused, broke off or is done leaves its room', async () => {
    const { room, begin } = await reading();
    await expect.poll(begin(MOST).answer).toContain('1000 bytes');
    const { socket } = begin(10);
    await expect.poll(() => room.held()).toBe(10);
    socket.destroy();
    await expect.poll(() => room.held()).toBe(0);
    const sent = (text: string) => Readable.from([Buffer.from(text)]) as IncomingMessage;
    const read = sent('x');
    await read.toArray();
    await expect(room.read(read, 1)).resolves.toHaveLength(0);
    await expect(room.read(sent('x'.repeat(20)), 10)).rejects.toMatchObject({ code: 'too-large' });
    await expect(room.read(sent('x').destroy(), 10)).rejects.toMatchObject({ code: 'malformed' });
    expect(room.held()).toBe(0);
  });

  test('that come a byte at a time take no more memory than others', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const byte = Buffer.alloc(1, 'x');
    const room = bodyRoom(10 * 256 * 1024);
    const body = new Readable({ read() {}, highWaterMark: 0 }) as IncomingMessage;
    const whole = room.read(body, 256 * 1024);
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < 200_000; at += 1_000) {
      for (let i = 0; i < 1_000; i += 1) body.push(Buffer.from(byte));
      await expect.poll(() => room.held(), { interval: 0 }).toBe(at + 1_000);
    }
    gc();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 * 1024 * 1024);
    body.push(null);
    expect(await whole).toEqual(Buffer.alloc(200_000, 'x'));
    expect(room.held()).toBe(0);
  });
});

test('of a body that nobody wanted nothing is left on a connection that goes on', async () => {
  let listeners = 0;
  const app = new Hono<{ Bindings: HttpBindings }>();
  let over = 0;
  app.post('/', (c) => {
    listeners = c.env.incoming.socket.listenerCount('close');
    c.env.incoming.once('close', () => {
      over += 1;
    });
    return c.text('no', 401);
  });
  const at = await listen(app, { host: '127.0.0.1', port: 0 });
  const socket = connect(at.port, '127.0.0.1').on('error', () => {});
  onTestFinished(async () => {
    socket.destroy();
    await at.close();
  });
  const counts: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n');
    await once(socket, 'data');
    socket.write('x'.repeat(10));
    await expect.poll(() => over).toBe(i + 1);
    counts.push(listeners);
  }
  expect(new Set(counts).size).toBe(1);
});
