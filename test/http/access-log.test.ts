import { connect, type Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import type { ByteSource } from '../../server/core/ports.ts';
import { accessLog } from '../../server/http/access-log.ts';
import { listen, SMALL_BODIES } from '../../server/http/listen.ts';
import { problemOf } from '../../server/http/problem.ts';
import { sendBytes } from '../../server/http/send-bytes.ts';

const PART = new Uint8Array(256 * 1024).fill(120);

/** More than the kernel keeps of a connection. */
const LONG = 64 * PART.length;

function source(sizeBytes: number, breaksAt = Number.POSITIVE_INFINITY): ByteSource {
  return {
    sizeBytes,
    etag: '"x"',
    async *read({ start, end }) {
      for (let at = start; at < end; at += PART.length) {
        if (at >= breaksAt) throw new Error('pack one ends within a frame');
        yield PART.subarray(0, Math.min(PART.length, end - at));
      }
    },
  };
}

type Line = { readonly level: 'info' | 'warn'; readonly text: string; readonly path: string } & Record<
  string,
  unknown
>;

/** A server that answers `/` with the source, and what it logs. */
async function logged(bytes: ByteSource, stallMs = 300_000) {
  const lines: Line[] = [];
  const note = (level: Line['level']) => (fields: object, text: string) =>
    void lines.push({ level, text, ...fields } as Line);
  const logger = { debug() {}, error() {}, info: note('info'), warn: note('warn') };
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(accessLog(logger, { plane: 'boot' }));
  app.get('/small', (c) => c.text('small'));
  app.get('/', (c) => sendBytes(c, bytes, 'text/plain'));
  app.onError((error, c) => problemOf(c, error, logger));
  const at = await listen(app as never, { host: '127.0.0.1', port: 0 }, { ...SMALL_BODIES, stallMs });
  const socket = connect(at.port, '127.0.0.1').on('error', () => {});
  onTestFinished(async () => {
    socket.destroy();
    await at.close();
  });
  const ask = (path = '/') => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return { lines, socket, ask };
}

async function take(socket: Socket, bytes: number): Promise<void> {
  let got = 0;
  for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    got += piece.length;
    if (got >= bytes) return;
  }
}

test('what was sent whole is one line; asking again proves that it came', async () => {
  const { lines, socket, ask } = await logged(source(PART.length));
  ask();
  await take(socket, PART.length);
  await expect.poll(() => lines.length).toBe(1);
  ask('/small');
  await expect.poll(() => lines.length).toBe(2);
  expect(lines[1]).toMatchObject({ path: '/small', status: 200, bytes: 'small'.length });
  socket.resetAndDestroy();
  await expect.poll(() => lines.length).toBe(3);
  expect(lines).toMatchObject([
    { level: 'info', path: '/', status: 200, bytes: PART.length },
    { level: 'info', path: '/small' },
    { level: 'info', path: '/small', text: 'not known to have arrived' },
  ]);
  expect(lines[0]).not.toHaveProperty('broken');
});

test('a client that dies in the middle is a warning with the bytes it was sent, and why', async () => {
  const { lines, socket, ask } = await logged(source(LONG));
  ask();
  await take(socket, 3 * PART.length);
  socket.resetAndDestroy();
  await expect.poll(() => lines.length).toBe(1);
  expect(lines[0]).toMatchObject({ level: 'warn', broken: true, why: 'the client reset the connection' });
  expect(lines[0]?.bytes).toBeGreaterThan(2 * PART.length);
  expect(lines[0]?.bytes).toBeLessThan(LONG);
});

test('an answer that waited behind another one is logged too', async () => {
  const { lines, socket, ask } = await logged(source(LONG));
  ask();
  ask();
  await take(socket, PART.length);
  socket.resetAndDestroy();
  await expect.poll(() => lines.length).toBe(2);
  expect(lines).toMatchObject([{ broken: true }, { broken: true, bytes: 0 }]);
});

test('a client that takes nothing any more is let go, and said so', async () => {
  const { lines, socket, ask } = await logged(source(LONG), 300);
  socket.pause();
  ask();
  await expect.poll(() => lines.length).toBe(1);
  expect(lines[0]).toMatchObject({ level: 'warn', broken: true, why: 'the client took nothing for 0 s' });
});

test('a source that fails cuts the answer, and the reason is in the line', async () => {
  const { lines, socket, ask } = await logged(source(LONG, 2 * PART.length));
  ask();
  await take(socket, LONG);
  await expect.poll(() => lines.length).toBe(1);
  expect(lines[0]).toMatchObject({
    level: 'warn',
    status: 200,
    broken: true,
    why: 'pack one ends within a frame',
  });
});

test('a connection that breaks after the last byte was handed over is said too', async () => {
  // All of it fits into what the kernel keeps: the server is done before the client has read anything.
  const { lines, socket, ask } = await logged(source(PART.length));
  socket.pause();
  ask();
  await expect.poll(() => lines.length).toBe(1);
  socket.resetAndDestroy();
  await expect.poll(() => lines.length).toBe(2);
  expect(lines).toMatchObject([
    { level: 'info', text: 'request' },
    { text: 'not known to have arrived', why: 'the client reset the connection' },
  ]);
});

test('a client that asks for much at once, and leaves, is no trouble', async () => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => void warnings.push(warning);
  process.on('warning', onWarning);
  onTestFinished(() => void process.off('warning', onWarning));
  const { lines, socket, ask } = await logged(source(LONG));
  for (let i = 0; i < 50; i += 1) ask();
  await take(socket, PART.length);
  socket.resetAndDestroy();
  await expect.poll(() => lines.length).toBe(50);
  expect(warnings).toEqual([]);
});
