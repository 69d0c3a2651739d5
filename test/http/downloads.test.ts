import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

/** Longer than what the kernel keeps of a connection, so that the server has to wait for whoever reads it. */
const BYTES = 24 * 2 ** 20;

let server: TestServer;
let images: readonly RandomImage[];
beforeAll(async () => {
  server = await runningServer();
  images = await storeRandomImages(server.dataDir, BYTES);
});
afterAll(() => server.close());

const pathOf = ({ digest }: RandomImage, file = 'data') => `/boot/images/${digest}/${file}`;

function asking(...paths: string[]): Socket {
  const { hostname, port } = new URL(server.running.boot?.url ?? '');
  const socket = connect(Number(port), hostname).on('error', () => {});
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''));
  return socket;
}

/** Of the server, which runs in this process. */
function openFiles(): string[] {
  const paths = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return paths.filter((path) => /\/(packs|images)\//.test(path) && path.startsWith(server.dataDir));
}

/** Reads a whole body and looks at each byte of it as it comes. @param rest after each piece, in ms */
async function readsRight(image: RandomImage, rest: (piece: number) => number): Promise<number> {
  const expected = readFileSync(image.file);
  const socket = asking(pathOf(image));
  let at = -1;
  let pieces = 0;
  for await (const piece of socket as AsyncIterable<Buffer>) {
    const body = at >= 0 ? piece : piece.subarray(piece.indexOf('\r\n\r\n') + 4);
    at = Math.max(at, 0);
    if (!body.equals(expected.subarray(at, at + body.length))) break;
    at += body.length;
    if (at >= expected.length) break;
    pieces += 1;
    const ms = rest(pieces);
    if (ms > 0) await pause(ms);
  }
  socket.destroy();
  return at / expected.length;
}

test('slow and fast readers get every byte right, of one file or of many places', async () => {
  const rests = [
    () => 0,
    (piece: number) => (piece % 8 === 0 ? 2 : 0),
    (piece: number) => (piece === 3 ? 400 : 0),
  ];
  const all = [...images, ...images].flatMap((image) => rests.map((rest) => readsRight(image, rest)));
  expect(await Promise.all(all)).toEqual(all.map(() => 1));
});

test('200 downloads that are given up leave no file open, and hold nothing', async () => {
  const paths = images.flatMap((image) => [pathOf(image), pathOf(image, 'raw')]);
  const clients = Array.from({ length: 200 }, async (_, i) => {
    const path = paths[i % paths.length] ?? '';
    // Every fifth asks twice at once: its second answer waits behind the first when it goes.
    const socket = i % 5 === 0 ? asking(path, path) : asking(path);
    const enough = (i % 7) * 50_000;
    let got = 0;
    for await (const piece of socket as AsyncIterable<Buffer>) {
      got += piece.length;
      if (got > enough) break;
    }
    socket.destroy();
  });
  await Promise.all(clients);
  await expect.poll(openFiles).toEqual([]);
  for (const { digest } of images)
    expect((await server.admin(`/api/v1/images/${digest}`, { method: 'DELETE' })).status).toBe(200);
  const packs = () => readdirSync(`${server.dataDir}/packs`).filter((name) => /^(whole|pieced)/.test(name));
  await expect.poll(packs).toEqual([]);
});
