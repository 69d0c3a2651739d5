import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adminServer, problem } from './admin-server.ts';
import { run } from './run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-cli-disk-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const target = () => join(folder, 'disk.img');

const MIB = 1024 ** 2;
/** Mostly zeros, with an end that is no whole block. */
const content = Buffer.alloc(16 * MIB + 100);
content.write('begin', 0);
content.write('middle', 5 * MIB + 77);
content.write('end', content.length - 3);

const serving = (path = '/api/v1/disks/two-slots.img') =>
  adminServer({
    [`GET ${path}`]: (_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.end(content);
    },
  });

test('writes what the server sends, with holes for zeros, and asks for what was named', async () => {
  const server = await serving();
  const command = [
    'disk',
    'two-slots',
    '--slot',
    'a=debian-13:next',
    '--slot',
    'b=debian-12',
    '-o',
    target(),
  ];
  const { code, stdout, stderr } = await run([...command, '--seed', 'x y', '--server', server.url]);
  expect([code, stdout, stderr]).toEqual([0, '', '']);
  expect(readFileSync(target()).equals(content)).toBe(true);
  expect(statSync(target()).blocks * 512).toBeLessThan(MIB);
  expect(server.asked.at(-1)?.path).toBe(
    '/api/v1/disks/two-slots.img?a=debian-13%3Anext&b=debian-12&seed=x+y',
  );
  expect(readdirSync(folder)).toEqual(['disk.img']);
  const told = await run([...command, '--json', '--server', server.url]);
  expect(JSON.parse(told.stdout)).toEqual({ file: target(), bytes: content.length });
});

test('--zst and --sector; 4096 says what it means', async () => {
  const server = await serving('/api/v1/disks/two-slots.img.zst');
  const command = ['disk', 'two-slots', '--slot', 'a=one', '-o', target(), '--zst', '--sector', '4096'];
  const { code, stderr } = await run([...command, '--server', server.url], { columns: 100 });
  expect(code).toBe(0);
  expect(stderr).toMatch(/disk .*16 MiB/);
  expect(stderr).toContain('boots by UEFI only');
  expect((await run([...command, '--server', server.url])).stderr).toBe('');
  expect(server.asked.at(-1)?.path).toContain('.img.zst?a=one&sector=4096');
});

test('a refusal is one sentence, and an older file stays', async () => {
  writeFileSync(target(), 'older');
  const server = await adminServer({
    'GET /api/v1/disks/two-slots.img': (_, response) => problem(response, 422, 'There is no image one.'),
  });
  const { code, stderr } = await run([
    'disk',
    'two-slots',
    '--slot',
    'a=one',
    '-o',
    target(),
    '--server',
    server.url,
  ]);
  expect([code, stderr]).toEqual([1, 'warmboot: There is no image one.\n']);
  expect(readFileSync(target(), 'utf8')).toBe('older');
});

test('a connection that breaks leaves nothing', async () => {
  const server = await adminServer({
    'GET /api/v1/disks/two-slots.img': (_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, MIB), () => response.destroy());
    },
  });
  const { code, stderr } = await run([
    'disk',
    'two-slots',
    '--slot',
    'a=one',
    '-o',
    target(),
    '--server',
    server.url,
  ]);
  expect(code).toBe(1);
  expect(stderr).toContain('the connection broke off');
  expect(readdirSync(folder)).toEqual([]);
});

test('wrong use', async () => {
  const refused = async (...args: string[]) => (await run(['disk', 'two-slots', ...args])).stderr;
  expect(await refused('-o', target())).toContain('--slot');
  expect(await refused('--slot', 'z=one', '-o', target())).toMatch(
    /It is SLOT=IMAGE, as in a=debian-13\. See --help\.\n$/,
  );
  expect(await refused('--slot', 'a=one', '--slot', 'a=two', '-o', target())).toContain(
    'Slot a was named before',
  );
  const server = await serving();
  expect(await refused('--slot', 'a=one', '-o', folder, '--server', server.url)).toContain(
    'is a folder and no file',
  );
});
