import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start } from '../server/app.ts';
import { bootUrl } from '../server/config.ts';
import { WarmbootError } from '../server/core/errors.ts';
import { ask, MIGRATIONS, newMac, runningServer, type TestServer } from './fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const beside = (facts: object) =>
  start(
    {
      dataDir: `${server.dataDir}-other`,
      imagesDir: join(import.meta.dirname, '../images'),
      migrationsDir: MIGRATIONS,
      adminListen: { host: '127.0.0.1', port: 0 },
      boot: null,
      ...facts,
    },
    pino({ level: 'silent' }),
  );

test('secrets are for their owner alone', () => {
  for (const file of ['admin.token', 'keys/manifest.pem'])
    expect(statSync(join(server.dataDir, file)).mode & 0o777).toBe(0o600);
  expect(server.running.newAdminToken).toBe(server.token);
});

test('the command line finds the running server, and not one that has ended', async () => {
  const file = join(server.dataDir, 'server.json');
  expect(JSON.parse(readFileSync(file, 'utf8')).adminUrl).toBe(server.running.adminUrl);
  await server.running.close();
  expect(existsSync(file)).toBe(false);
  await server.restart();
});

test('what was answered outlives the server: hosts, serials, token and key', async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const before = await server.boot(`/boot/hosts/${mac}/manifest`);
  const config = await server.boot('/boot/installer/config.img');
  const pem = (text: string) => /-----BEGIN[\s\S]+END PUBLIC KEY-----/.exec(text)?.[0];
  await server.restart();
  expect(server.running.newAdminToken).toBeNull();
  const after = await server.boot(`/boot/hosts/${mac}/manifest`);
  expect(after.text).toBe(before.text);
  expect(after.headers.etag).toBe(before.headers.etag);
  expect(pem((await server.boot('/boot/installer/config.img')).text)).toBe(pem(config.text));
});

test('a data folder that is in use, and a port that is taken, are said in a sentence', async () => {
  await expect(beside({ dataDir: server.dataDir })).rejects.toThrow(/Another Warmboot works in/);
  const port = Number(new URL(server.running.adminUrl).port);
  const taken = beside({ dataDir: join(server.dataDir, 'nested'), adminListen: { host: '127.0.0.1', port } });
  await expect(taken).rejects.toThrow(/another program listens there/);
  // What was opened for it was closed again: the folder is free.
  const other = await beside({ dataDir: join(server.dataDir, 'nested') });
  expect(other.boot).toBeNull();
  expect((await ask(other.adminUrl, '/healthz')).status).toBe(200);
  await other.close();
  await other.close();
});

describe('the boot URL', () => {
  const any = { host: '0.0.0.0', port: 8080 };
  test.each([
    ['http://10.0.0.1:8080/', any, [], 'http://10.0.0.1:8080'],
    ['https://boot.example/wb', any, [], 'https://boot.example/wb'],
    [null, any, ['192.0.2.7', '192.0.2.8'], 'http://192.0.2.7:8080'],
    [null, any, [], 'http://127.0.0.1:8080'],
    [null, { host: '192.0.2.9', port: 80 }, ['192.0.2.7'], 'http://192.0.2.9:80'],
    [null, { host: 'fd00::1', port: 80 }, [], 'http://[fd00::1]:80'],
  ] as const)('%j on %j is %s', (said, listening, own, url) => {
    expect(bootUrl(said, listening, own)).toBe(url);
  });
  test.each([
    '',
    'boot.example',
    'ftp://x',
    'http://user@x',
    'http://x/?a',
    "http://x/'",
    'http://x y',
    'http://$' + '{net0/ip}',
  ])('%j is refused', (said) => {
    expect(() => bootUrl(said, any, [])).toThrow(WarmbootError);
  });
});
