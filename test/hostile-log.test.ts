import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json } from '../server/cli/text.ts';
import { decode, ERROR_CODE } from '../server/tftp/packet.ts';
import { ask } from './fixtures/running-server.ts';

/** The whole program, asked by strangers for what is no file: each is told so, and its log stays one that people can read. */

let dataDir: string;
let child: ChildProcess;
let log = '';
let boot: string;
let tftpPort: number;
let client: Socket;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'warmboot-hostile-'));
  const any = '127.0.0.1:0';
  const listens = ['--boot-listen', any, '--admin-listen', any, '--tftp-listen', any];
  child = spawn(process.execPath, ['server/main.ts', 'serve', '--data', dataDir, ...listens], {
    cwd: join(import.meta.dirname, '..'),
    env: { PATH: process.env.PATH, WARMBOOT_LOG: 'debug' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr?.setEncoding('latin1').on('data', (text) => {
    log += text;
  });
  if (!child.stdout) throw new Error('no output');
  const [first] = await once(createInterface({ input: child.stdout }), 'line');
  ({ bootUrl: boot, tftpPort } = JSON.parse(first));
  client = createSocket('udp4').bind(0, '127.0.0.1');
  await once(client, 'listening');
});
afterAll(async () => {
  client.close();
  child.kill('SIGKILL');
  rmSync(dataDir, { recursive: true });
});

/** What a read request with these bytes as its file name is answered. */
async function asked(name: string) {
  const answer = once(client, 'message');
  const request = Buffer.from(`\0\x01${name}\0octet\0`, 'latin1');
  client.send(request, tftpPort, '127.0.0.1');
  const [datagram] = (await answer) as [Buffer];
  return { packet: decode(datagram), datagram };
}

const { notFound, access, illegal } = ERROR_CODE;
const NOT_ASCII = 'file name is not printable ASCII';

const NAMES: readonly [string, number, string][] = [
  ['../../../../etc/passwd', access, '.. in file name'],
  ['nbp/../../etc/passwd', access, '.. in file name'],
  ['boot/../52-54-00-12-34-56.ipxe', access, '.. in file name'],
  ['..', access, '.. in file name'],
  ['/etc/passwd', access, 'absolute path: ask for the bare file name, without /'],
  ['//etc/passwd', access, 'absolute path: ask for the bare file name, without /'],
  ['nbp//ipxe.efi', access, '// in file name'],
  ['..\\..\\boot.ini', access, 'no \\ in file names, please'],
  ['%2e%2e%2fetc%2fpasswd', notFound, '%2e%2e%2fetc%2fpasswd is not served here'],
  ['ipxe.efi%00.txt', notFound, 'ipxe.efi%00.txt is not served here'],
  // What follows the first NUL is the mode, as RFC 1350 has it.
  ['ipxe.efi\0.txt', illegal, 'mode is neither octet nor netascii'],
  ['', illegal, 'empty file name'],
  ['ipxe.efi\r\n{"level":60,"msg":"forged"}', access, NOT_ASCII],
  ['\x1b[2J\x1b[31mipxe.efi', access, NOT_ASCII],
  ['\x1b]0;title\x07', access, NOT_ASCII],
  ['\x9b31mipxe.efi', access, NOT_ASCII],
  ['\xe2\x80\xaetxt.efi', access, NOT_ASCII],
  ['x'.repeat(400), access, 'file name longer than 255 bytes'],
  ['x'.repeat(500), access, 'file name longer than 255 bytes'],
  ['x'.repeat(505), illegal, 'request of more than 512 bytes'],
  ['x'.repeat(255), notFound, `${'x'.repeat(40)} is not served here`],
  ['{{7*7}}', notFound, '{{7*7}} is not served here'],
  ['${7*7}', notFound, '${7*7} is not served here'],
  ['$(id)', notFound, '$(id) is not served here'],
  ['`id`', notFound, '`id` is not served here'],
  ['boot/$(id).ipxe', notFound, 'name a host by its MAC: boot/52-54-00-12-34-56.ipxe'],
  ["boot/' OR 1=1 --.ipxe", notFound, 'name a host by its MAC: boot/52-54-00-12-34-56.ipxe'],
  ["'; DROP TABLE hosts; --", notFound, "'; DROP TABLE hosts; -- is not served here"],
  ['%s%s%n%d', notFound, '%s%s%n%d is not served here'],
  ['__proto__', notFound, '__proto__ is not served here'],
  ['constructor', notFound, 'constructor is not served here'],
  ['admin.token', notFound, 'admin.token is not served here'],
  ['keys/manifest.pem', notFound, 'manifest.pem is not served here'],
];

const NAMED = NAMES.map(([name, ...rest]) => [json(name).slice(0, 50), name, ...rest] as const);

test.each(NAMED)('TFTP, the file name %s', async (_, name, code, message) => {
  const { packet, datagram } = await asked(name);
  expect(packet).toEqual({ kind: 'error', code, message });
  expect(datagram.toString('latin1', 4)).toMatch(/^[\x20-\x7e]+\0$/);
});

test.each(NAMED.filter(([, name]) => name !== ''))('HTTP, below /boot/nbp/: %s', async (_, name) => {
  const { status, headers, text } = await ask(boot, `/boot/nbp/${encodeURIComponent(name)}`);
  expect([status, headers['content-type']]).toEqual([404, 'application/problem+json']);
  expect(text).not.toMatch(/[^\x20-\x7e\n]\[|root:/);
});

test('afterwards the server goes on, and every line of its log is JSON without anything that a terminal obeys', async () => {
  const { packet } = await asked('boot.ipxe');
  expect(packet).toMatchObject({ kind: 'data', block: 1 });
  const { text } = await ask(boot, '/boot/script?mac=52:54:00:12:34:56');
  expect(text).toMatch(/^#!ipxe\n/);
  const wholeLines = () => log.slice(0, log.lastIndexOf('\n') + 1);
  await expect.poll(wholeLines).toContain('/boot/script');
  // The first start says its token on a line of its own, for people.
  const said = Buffer.from(wholeLines(), 'latin1')
    .toString()
    .replace(/^token .*\n/m, '');
  expect(said).not.toMatch(/[^\P{Cc}\n]|\p{Bidi_Control}/u);
  const lines = said
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.filter(({ level }) => level > 40)).toEqual([]);
  // What can be printed is named as it was asked for; the rest only by why it was refused.
  const files = lines.flatMap(({ msg, file }) => (msg === 'TFTP request refused' ? [file] : []));
  expect(files).toEqual(expect.arrayContaining(['$(id)', '{{7*7}}', '../../../../etc/passwd']));
  expect(child.exitCode).toBeNull();
});
