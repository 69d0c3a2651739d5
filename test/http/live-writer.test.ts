import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type LiveWriter, liveWriter } from '../../server/http/live-writer.ts';

/** A server whose one answer is written by `write`; what that says is kept. */
async function answering(
  write: (out: LiveWriter) => Promise<unknown>,
  stallMs: number,
  stopping = new AbortController(),
) {
  const done: Promise<unknown>[] = [];
  const peaks: number[] = [];
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const by = { over: new AbortController().signal };
    const c = { env: { incoming, outgoing }, get: () => by } as unknown as Parameters<typeof liveWriter>[0];
    const out = liveWriter(c, 'text/plain', stopping.signal, stallMs);
    const watch = setInterval(() => peaks.push(outgoing.writableLength), 5);
    done.push(write(out).finally(() => clearInterval(watch)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const call = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  call.on('error', () => {});
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  return { answer, call, done, peaks, stopping };
}

const PIECES = Array.from({ length: 64 * 16 }, () => 'x'.repeat(16 * 1024));

test('a client that reads gets it all', async () => {
  const { answer, done } = await answering(async (out) => {
    const isTaken = await out.write(PIECES);
    out.end('end');
    return isTaken;
  }, 600_000);
  let bytes = 0;
  for await (const part of answer) bytes += part.length;
  expect([bytes, await done[0]]).toEqual([PIECES.length * 16 * 1024 + 3, true]);
});

test('a client that takes nothing is given up after its time, and little was kept for it', async () => {
  const { answer, done, peaks } = await answering((out) => out.write(PIECES), 200);
  answer.pause();
  expect(await done[0]).toBe(false);
  expect(Math.max(...peaks)).toBeLessThan(256 * 1024);
});

test('a client that goes away, and a server that stops, end it', async () => {
  const one = await answering((out) => out.write(PIECES), 60_000);
  one.answer.pause();
  one.call.destroy();
  expect(await one.done[0]).toBe(false);
  const other = await answering((out) => out.write(PIECES), 60_000);
  other.answer.pause();
  other.stopping.abort();
  expect(await other.done[0]).toBe(false);
});
