import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { bootUrlFinding } from '../../server/doctor/boot-url.ts';
import { dockerFinding } from '../../server/doctor/docker.ts';
import { nbpFinding } from '../../server/doctor/nbps.ts';
import { httpFinding } from '../../server/doctor/reach.ts';
import { dataFolderFindings, spaceFinding } from '../../server/doctor/space.ts';

const own = ['10.0.0.1', '192.168.1.5'];

test.each([
  ['said, and ours', { said: 'http://10.0.0.1:8080', url: 'http://10.0.0.1:8080', ownAddresses: own }, 'ok'],
  ['said by name', { said: 'http://boot.lan', url: 'http://boot.lan', ownAddresses: own }, 'ok'],
  ['one address, not said', { said: null, url: 'http://10.0.0.1:8080', ownAddresses: ['10.0.0.1'] }, 'ok'],
  ['several addresses, not said', { said: null, url: 'http://10.0.0.1:8080', ownAddresses: own }, 'warning'],
  ['another machine', { said: 'http://10.9.9.9', url: 'http://10.9.9.9', ownAddresses: own }, 'warning'],
  ['loopback', { said: null, url: 'http://127.0.0.1:8080', ownAddresses: [] }, 'problem'],
  ['loopback by name', { said: 'http://localhost', url: 'http://localhost', ownAddresses: own }, 'problem'],
  ['loopback, IPv6', { said: 'http://[::1]:80', url: 'http://[::1]:80', ownAddresses: own }, 'problem'],
] as const)('boot URL: %s', (_, facts, level) => {
  expect(bootUrlFinding(facts).level).toBe(level);
});

test('Docker: there, too old, away', async () => {
  expect((await dockerFinding(async () => ({ version: '26.1.5+dfsg1' }))).level).toBe('ok');
  expect((await dockerFinding(async () => ({ version: '19.03.1' }))).what).toContain('20 or newer');
  const away = await dockerFinding(() => Promise.reject(new Error('connect ENOENT /var/run/docker.sock')));
  expect(away).toMatchObject({ level: 'warning', what: expect.stringContaining('ENOENT') });
});

test('network boot programs: which are missing, and where they were looked for', () => {
  expect(nbpFinding([], ['/a']).level).toBe('ok');
  const missing = nbpFinding(['ipxe.efi'], ['/a', '/b']);
  expect(missing).toMatchObject({ level: 'problem', what: expect.stringContaining('/a, /b: ipxe.efi') });
});

test('room: much, little, none', () => {
  const at = (gib: number) =>
    spaceFinding('data-space', 'here', { free: gib * 1024 ** 3, total: 100 * 1024 ** 3 });
  expect([at(50).level, at(5).level, at(1).level]).toEqual(['ok', 'warning', 'problem']);
  expect(at(5).what).toContain('5.0 GiB free of 100.0 GiB');
});

test('a data folder that does not exist is looked for above, and not made', async () => {
  const [found] = await dataFolderFindings('/proc/self/no/such/folder');
  expect(found).toMatchObject({
    check: expect.stringMatching(/^data-/),
    what: expect.stringContaining('/proc/self'),
  });
});

test('the entry script: given, something else there, nobody there', async () => {
  let body = '#!ipxe\n';
  const server = createServer((_, response) => response.setHeader('connection', 'close').end(body)).listen(
    0,
    '127.0.0.1',
  );
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect((await httpFinding(url)).level).toBe('ok');
  body = '<html>It works!</html>';
  expect(await httpFinding(url)).toMatchObject({
    level: 'problem',
    what: expect.stringContaining('no iPXE script'),
  });
  await new Promise((resolve) => server.close(resolve));
  expect(await httpFinding(url)).toMatchObject({
    level: 'problem',
    what: expect.stringContaining('ECONNREFUSED'),
  });
});
