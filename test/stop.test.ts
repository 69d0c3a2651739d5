import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { ask, newMac, storeImage } from './fixtures/running-server.ts';

/** A server as systemd or a person stops it: the whole program, with real signals. */

const ROOT = join(import.meta.dirname, '..');
/** More than the kernel keeps of a connection on both its sides. */
const LONG = 128 * 1024 * 1024;

let dataDir: string;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'warmboot-stop-'));
  await storeImage(dataDir, 'one');
  await storeImage(dataDir, 'installer', 'installer');
});
afterAll(() => rmSync(dataDir, { recursive: true }));

type Served = {
  readonly child: ChildProcess;
  readonly boot: string;
  readonly admin: string;
  readonly tftpPort: number;
  readonly token: string;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Lines of its log so far. */
  readonly log: () => readonly string[];
};

async function serve(stopTimeout: number): Promise<Served> {
  const any = '127.0.0.1:0';
  const listens = ['--boot-listen', any, '--admin-listen', any, '--tftp-listen', any];
  const flags = ['--data', dataDir, ...listens, '--stop-timeout', String(stopTimeout)];
  const child = spawn(process.execPath, ['server/main.ts', 'serve', ...flags], {
    cwd: ROOT,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  // With all that it said.
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => lines.push(line));
  const [first] = await once(createInterface({ input: child.stdout }), 'line');
  const { adminUrl, bootUrl, tftpPort } = JSON.parse(first);
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  return { child, boot: bootUrl, admin: adminUrl, tftpPort, token, ended, log: () => lines };
}

/** A part of a disk that waits to be read. */
async function slowDownload(boot: string): Promise<{ call: ClientRequest; answer: IncomingMessage }> {
  const call = get(`${boot}/boot/disks/two-slots.img?a=one`, { headers: { range: `bytes=0-${LONG - 1}` } });
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(206);
  answer.pause();
  return { call, answer };
}

async function bytesOf(answer: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const part of answer) bytes += (part as Buffer).length;
  return bytes;
}

const refusesConnections = (url: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.once('error', () => resolve(true)).once('connect', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

test('a download in flight survives SIGTERM; long polls and streams end at once, and nothing begins', async () => {
  const { child, boot, admin, token, ended } = await serve(600);
  const headers = { authorization: `Bearer ${token}` };
  const mac = newMac();
  await ask(admin, '/api/v1/hosts', { headers, body: { macs: [mac], image: 'one' } });
  const { headers: seen } = await ask(boot, `/boot/hosts/${mac}/manifest`);
  const longPoll = ask(boot, `/boot/hosts/${mac}/manifest?wait=60`, {
    headers: { 'if-none-match': seen.etag ?? '' },
  });
  const stream = ask(admin, '/api/v1/events', { headers: { ...headers, accept: 'text/event-stream' } });
  const { answer } = await slowDownload(boot);

  child.kill('SIGTERM');
  expect((await longPoll).status).toBe(304);
  expect((await longPoll).headers.connection).toBe('close');
  expect((await stream).text).toContain('host-enrolled');
  await expect.poll(() => refusesConnections(boot)).toBe(true);
  const ready = await ask(admin, '/readyz');
  expect([ready.status, ready.json.checks.process]).toEqual([
    503,
    { ok: false, detail: 'the server is stopping' },
  ]);
  const refused = await ask(admin, '/api/v1/hosts', { headers });
  expect([refused.status, refused.headers['retry-after']]).toEqual([503, '10']);
  expect(child.exitCode).toBeNull();

  expect(await bytesOf(answer)).toBe(LONG);
  expect(await ended).toBe(0);
});

test('a TFTP transfer in flight comes to its end, and a new one gets no answer', async () => {
  const { child, tftpPort, boot, ended } = await serve(600);
  const client = createSocket('udp4');
  onTestFinished(() => void client.close());
  const heard: { readonly packet: Buffer; readonly port: number }[] = [];
  client.on('message', (packet, { port }) => heard.push({ packet, port }));
  const request = Buffer.from('\0\x01boot.ipxe\0octet\0');
  client.send(request, tftpPort, '127.0.0.1');
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  child.kill('SIGTERM');
  await expect.poll(() => refusesConnections(boot)).toBe(true);

  const late = createSocket('udp4');
  onTestFinished(() => void late.close());
  let lateHeard = 0;
  late.on('message', () => {
    lateHeard += 1;
  });
  late.send(request, tftpPort, '127.0.0.1');

  // Takes the file block by block, as slowly as it likes: each answer asks for the next.
  let bytes = 0;
  for (let block = 1; ; block += 1) {
    await expect.poll(() => heard.some(({ packet }) => packet.readUInt16BE(2) === block)).toBe(true);
    const found = heard.find(({ packet }) => packet.readUInt16BE(2) === block);
    if (!found) throw new Error('no block');
    expect(found.packet.readUInt16BE(0)).toBe(3);
    bytes += found.packet.length - 4;
    client.send(Buffer.from([0, 4, block >> 8, block & 255]), found.port, '127.0.0.1');
    if (found.packet.length < 516) break;
  }
  expect(bytes).toBeGreaterThan(512);
  expect(await ended).toBe(0);
  expect(lateHeard).toBe(0);
});

test('what is stuck is cut after the bound, and told', async () => {
  const { child, boot, ended, log } = await serve(1);
  const { answer } = await slowDownload(boot);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  await expect(bytesOf(answer)).rejects.toThrow();
  const told = log().filter((line) => line.includes('stopped before everything was sent'));
  expect(told.map((line) => JSON.parse(line).cut)).toEqual([1]);
});

test('a connection on which nothing was ever asked does not hold the server', async () => {
  const { child, boot, ended } = await serve(600);
  const { hostname, port } = new URL(boot);
  const silent = connect(Number(port), hostname).on('error', () => undefined);
  await once(silent, 'connect');
  const kept = ask(boot, '/boot.ipxe', { headers: { connection: 'keep-alive' } });
  expect((await kept).status).toBe(200);
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
});

test('asked twice, it ends at once', async () => {
  const { child, boot, ended } = await serve(600);
  const { call } = await slowDownload(boot);
  call.on('error', () => undefined);
  child.kill('SIGTERM');
  await expect.poll(() => refusesConnections(boot)).toBe(true);
  child.kill('SIGTERM');
  expect(await ended).toBe(143);
});
