import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalServer, residentMib, startLocalServer } from '../../lab/local-server.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';

/** A mass reboot: everybody downloads at once, some slowly, some die. The server is a process of its own. */

/** More than the kernels of both ends keep of a connection: a server must wait for whoever does not read. */
const BYTES = 10 * 2 ** 20;
const HOSTS = 500;
/** Of them these stop reading for a while, all at the same time. */
const PAUSING = 200;
const DYING = 20;
/** 64 buffers of 512 KiB, 128 KiB for every other host, and as much again for what Node keeps of 500 connections. */
const MAX_GROWTH_MIB = 2 * (32 + (HOSTS * 128) / 1024);

let folder: string;
let server: LocalServer;
let images: readonly [RandomImage, RandomImage];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-mass-'));
  images = await storeRandomImages(folder, BYTES);
  server = await startLocalServer(folder);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

type Outcome = 'right' | 'wrong' | 'cut' | 'died';
type Client = { readonly started: Promise<void>; readonly outcome: Promise<Outcome> };

/** Looks at every byte as it comes. @param goOn what it waits for after its first piece */
function download(image: RandomImage, expected: Buffer, goOn?: Promise<'read' | 'die'>): Client {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname).on('error', () => {});
  socket.write(`GET /boot/images/${image.digest}/data HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  let hasStarted = () => {};
  const started = new Promise<void>((resolve) => {
    hasStarted = resolve;
  });
  async function read(): Promise<Outcome> {
    let at = -1;
    for await (const piece of socket as AsyncIterable<Buffer>) {
      const body = at >= 0 ? piece : piece.subarray(piece.indexOf('\r\n\r\n') + 4);
      if (at < 0) {
        at = 0;
        hasStarted();
        if ((await goOn) === 'die') {
          socket.resetAndDestroy();
          return 'died';
        }
      }
      if (!body.equals(expected.subarray(at, at + body.length))) return 'wrong';
      at += body.length;
    }
    return at === expected.length ? 'right' : 'cut';
  }
  return { started, outcome: read().catch(() => 'cut' as const) };
}

type Line = { readonly msg: string; readonly level: number; readonly bytes: number; readonly why?: string };

function requestLines(): Line[] {
  const lines = readFileSync(server.log, 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line)
    .filter(({ msg }) => msg === 'request');
}

test('500 at once: every byte right, memory bounded, and a line about each that died', async () => {
  const contents = images.map(({ file }) => readFileSync(file));
  const [image] = images;
  const content = (i: number) => contents[i % 2] ?? Buffer.alloc(0);
  expect(await download(image, content(0)).outcome).toBe('right');
  await expect.poll(() => requestLines().length).toBe(1);
  const before = residentMib(server.pid);
  let mostMib = 0;
  const watch = setInterval(() => {
    mostMib = Math.max(mostMib, residentMib(server.pid));
  }, 50);

  let wake: (what: 'read') => void = () => {};
  const paused = new Promise<'read' | 'die'>((resolve) => {
    wake = resolve;
  });
  const pausing = Array.from({ length: PAUSING }, (_, i) => {
    const goOn = i < DYING ? paused.then(() => 'die' as const) : paused;
    return download(images[i % 2] ?? image, content(i), goOn);
  });
  await Promise.all(pausing.map(({ started }) => started));
  const others = Array.from({ length: HOSTS - PAUSING }, (_, i) =>
    download(images[i % 2] ?? image, content(i)),
  );
  const outcomes = await Promise.all(others.map(({ outcome }) => outcome));
  // All others are done; these still wait, and hold what they hold.
  mostMib = Math.max(mostMib, residentMib(server.pid));
  wake('read');
  outcomes.push(...(await Promise.all(pausing.map(({ outcome }) => outcome))));
  clearInterval(watch);

  const count = (what: Outcome) => outcomes.filter((each) => each === what).length;
  expect({ right: count('right'), died: count('died') }).toEqual({ right: HOSTS - DYING, died: DYING });
  expect(mostMib - before).toBeLessThan(MAX_GROWTH_MIB);

  await expect.poll(() => requestLines().length).toBe(1 + HOSTS);
  const lines = requestLines();
  const sizes = images.map(({ bytes }) => bytes);
  const whole = lines.filter(({ level }) => level === 30);
  expect(whole).toHaveLength(1 + HOSTS - DYING);
  for (const { bytes } of whole) expect(sizes).toContain(bytes);
  const broken = lines.filter(({ level }) => level === 40);
  expect(broken).toHaveLength(DYING);
  for (const { bytes, why } of broken) {
    expect(bytes).toBeGreaterThan(0);
    expect(sizes.every((size) => bytes < size)).toBe(true);
    expect(why).toBe('the client reset the connection');
  }
});
