import { connect, type Socket } from 'node:net';
import { Hono } from 'hono';
import { afterEach, expect, test } from 'vitest';
import { type Listening, listen, SMALL_BODIES } from '../../server/http/listen.ts';
import { ask } from '../fixtures/running-server.ts';

const MAX = 20;
let server: Listening;
let release = () => {};
let waiting = 0;
const sockets: Socket[] = [];

async function serve() {
  const app = new Hono();
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  app.onError((_error, c) => c.text('failed', 500));
  app.get('/quick', (c) => c.text('quick'));
  app.get('/slow', async (c) => {
    waiting += 1;
    await held;
    return c.text('slow');
  });
  app.post('/body', async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)));
  server = await listen(
    app as never,
    { host: '127.0.0.1', port: 0 },
    { ...SMALL_BODIES, maxConnections: MAX },
  );
}
afterEach(async () => {
  release();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
});

/** A connection from an address of its own, on which `text` is sent and no more. */
async function open(text: string, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: server.port, host: '127.0.0.1', localAddress })
    .on('error', () => {})
    // What is not read would hide that it was closed.
    .resume();
  sockets.push(socket);
  await new Promise((resolve) => socket.once('connect', resolve));
  if (text !== '') socket.write(text);
  return socket;
}
const quick = () => ask(`http://127.0.0.1:${server.port}`, '/quick');
const openOf = (some: readonly Socket[]) => some.filter(({ destroyed }) => !destroyed).length;
const GET = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

test.each([
  ['nothing', ''],
  ['half of its headers', 'GET /quick HTTP/1.1\r\nhost: x\r\n'],
  ['half of its body', 'POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nxxx'],
  ['one request, and stays', GET('/quick')],
])('ten times too many that send %s: they are bounded, and others are answered', async (_, text) => {
  await serve();
  for (let i = 0; i < 10 * MAX; i += 1) {
    await open(text, '127.0.0.2');
    if (i % 20 === 0) expect((await quick()).text).toBe('quick');
  }
  await expect.poll(() => openOf(sockets)).toBeLessThanOrEqual(MAX);
  expect((await quick()).text).toBe('quick');
});

test('who holds most makes room: a machine that is idle for a moment keeps its connection', async () => {
  await serve();
  const machines = [await open('', '127.0.0.3'), await open('', '127.0.0.4')];
  for (let i = 0; i < 3 * MAX; i += 1) await open('', '127.0.0.2');
  await expect.poll(() => openOf(sockets)).toBeLessThanOrEqual(MAX);
  expect(openOf(machines)).toBe(2);
});

test('what is being answered is never cut: the new one comes again', async () => {
  await serve();
  const answered = await Promise.all(Array.from({ length: MAX }, () => open(GET('/slow'))));
  await expect.poll(() => waiting).toBe(MAX);
  await expect(quick().then(({ text }) => text)).rejects.toThrow();
  const texts = answered.map(
    (socket) => new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data)))),
  );
  release();
  for (const text of texts) expect(await text).toContain('200 OK');
  expect((await quick()).text).toBe('quick');
});
