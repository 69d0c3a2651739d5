import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { ACCEPT_QUEUE } from '../../server/core/accept-queue.ts';
import { LARGE_BODIES, listen, type Patience, SMALL_BODIES } from '../../server/http/listen.ts';

/** The server's own times, of which only those that a test is about are shorter: a busy machine is silent, too. */
const quick = (patience: Patience, shorter: Partial<Patience>): Patience => ({
  ...patience,
  lookMs: 10,
  maxConnections: 100,
  ...shorter,
});

/** A server that counts what it is sent, and reads it only after `readsAfterMs`. */
async function counting(patience: Patience, readsAfterMs = 0, answersAfterMs = 0) {
  const app = new Hono();
  const failures: unknown[] = [];
  app.onError((error, c) => {
    failures.push(error);
    return c.text('failed', 500);
  });
  app.put('/', async (c) => {
    await pause(readsAfterMs);
    let bytes = 0;
    for await (const piece of c.req.raw.body as unknown as AsyncIterable<Uint8Array>) bytes += piece.length;
    await pause(answersAfterMs);
    return c.text(`${bytes} bytes`);
  });
  const listening = await listen(app as never, { host: '127.0.0.1', port: 0 }, patience);
  const socket = connect(listening.port, '127.0.0.1').on('error', () => {});
  onTestFinished(async () => {
    socket.destroy();
    await listening.close();
  });
  return { socket, failures, ended: answerOf(socket) };
}

/** All that came until the connection was closed. */
async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (piece) => {
    text += piece;
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const head = (bytes: number) =>
  `PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${bytes}\r\n\r\n`;

/** Sends a body a byte at a time. */
async function trickle(socket: Socket, bytes: number, everyMs: number): Promise<void> {
  socket.write(head(bytes));
  for (let i = 0; i < bytes && !socket.destroyed; i += 1) {
    await pause(everyMs);
    socket.write('x');
  }
}

test('a large body may take longer than any fixed time, as long as it comes', async () => {
  const { socket, ended } = await counting(quick(LARGE_BODIES, {}));
  await trickle(socket, 12, 50);
  expect(await ended).toContain('12 bytes');
  // Where bodies are small the same client is told that it is too slow.
  const small = await counting(quick(SMALL_BODIES, { headersMs: 200, requestMs: 300 }));
  await trickle(small.socket, 12, 50);
  expect(await small.ended).toContain('408');
});

test('a client that falls silent within a body is let go', async () => {
  const { socket, failures, ended } = await counting(quick(LARGE_BODIES, { silenceMs: 300 }));
  socket.write(`${head(10)}xxx`);
  expect(await ended).toBe('');
  await expect.poll(() => failures.length).toBe(1);
});

test('a body that waits to be read, and an answer that takes its time, are not the client’s silence', async () => {
  const patience = quick(LARGE_BODIES, { silenceMs: 1_000, stallMs: 1_000 });
  const { socket, ended } = await counting(patience, 2_500, 2_500);
  const bytes = 8 * 1024 * 1024;
  socket.write(head(bytes));
  socket.write(Buffer.alloc(bytes));
  expect(await ended).toContain(`${bytes} bytes`);
});

test('headers that do not come end the connection, however long a body may take', async () => {
  const { socket, ended } = await counting(quick(LARGE_BODIES, { headersMs: 20 }));
  socket.write('PUT / HTTP/1.1\r\nhost:');
  expect(await ended).toContain('408');
});

test('a room full of machines may wait at the door: as many as the kernel lets', async () => {
  const { port, close } = await listen(new Hono() as never, { host: '127.0.0.1', port: 0 });
  onTestFinished(close);
  const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  // State, waiting now, places.
  const [, , places] = execFileSync('ss', ['-ltnH', `sport = :${port}`], { encoding: 'utf8' }).split(/\s+/);
  expect(Number(places)).toBe(Math.min(ACCEPT_QUEUE, most));
});
