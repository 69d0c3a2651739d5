import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examine } from '../../server/app/examine.ts';
import type { Config } from '../../server/config.ts';
import type { Finding } from '../../server/core/finding.ts';
import { BOOT, MIGRATIONS, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

async function look(
  dataDir: string,
  boot: Partial<NonNullable<Config['boot']>> = {},
  more: Partial<Config> = {},
): Promise<Map<string, Finding>> {
  const listen = { host: '127.0.0.1', port: 0 };
  const config: Config = {
    dataDir,
    imagesDir: join(import.meta.dirname, '../../images'),
    migrationsDir: MIGRATIONS,
    adminListen: listen,
    boot: { listen, tftp: listen, url: null, nbpFolders: [], proxyDhcp: null, ...boot },
    ...more,
  };
  const found: Finding[] = [];
  for await (const finding of examine(config, { wire: false })) found.push(finding);
  return new Map(found.map((finding) => [finding.check, finding]));
}

test('a server that runs is asked, and its ports are not tried', async () => {
  const found = await look(server.dataDir);
  expect(found.get('server')).toMatchObject({
    level: 'ok',
    what: expect.stringContaining(String(process.pid)),
  });
  expect(found.get('boot-reach')).toMatchObject({ level: 'ok' });
  expect(found.has('boot-port')).toBe(false);
});

test('a note left by a crash is no server', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'warmboot-examine-'));
  writeFileSync(
    join(dataDir, 'server.json'),
    readFileSync(join(server.dataDir, 'server.json'))
      .toString()
      .replace(/"instance":"[^"]+"/, '"instance":"old"'),
  );
  const found = await look(dataDir);
  expect(found.has('server')).toBe(false);
  expect(found.get('boot-port')).toMatchObject({ level: 'ok' });
  expect(found.get('tftp-port')).toMatchObject({ level: 'ok' });
  rmSync(dataDir, { recursive: true });
});

test('an admin plane that is open to others without TLS', async () => {
  const adminListen = { host: '0.0.0.0', port: 0 };
  const dataDir = join(server.dataDir, 'nothing');
  const open = await look(dataDir, {}, { adminListen });
  expect(open.get('admin-tls')).toMatchObject({
    level: 'warning',
    mend: expect.stringContaining('--admin-tls'),
  });
  expect(
    (await look(dataDir, {}, { adminListen, adminTls: { files: null } })).get('admin-tls'),
  ).toMatchObject({ level: 'ok' });
  expect((await look(dataDir)).get('admin-tls')).toMatchObject({ level: 'ok' });
  expect((await look(server.dataDir)).get('admin-tls')).toMatchObject({ level: 'ok' });
});

test('a port of the boot plane that another program has', async () => {
  const port = server.running.boot?.port ?? 0;
  const found = await look(join(server.dataDir, 'nothing'), { listen: { host: '127.0.0.1', port } });
  expect(found.get('boot-port')).toMatchObject({
    level: 'problem',
    mend: expect.stringContaining('--boot-listen'),
  });
});

describe('TLS for hosts', () => {
  const agentAt = (port: number, url: string | null = null) => ({
    agent: { listen: { host: '127.0.0.1', port }, url, allowsPlain: false },
  });

  test('a port that another program has', async () => {
    const port = server.running.boot?.port ?? 0;
    const nothing = join(server.dataDir, 'nothing');
    expect((await look(nothing, agentAt(port))).get('agent-port')).toMatchObject({
      level: 'problem',
      mend: expect.stringContaining('--agent-listen'),
    });
    expect((await look(nothing, agentAt(0))).get('agent-port')).toMatchObject({ level: 'ok' });
    expect((await look(nothing)).has('agent-port')).toBe(false);
  });

  test('of a server that runs is spoken, by the address that hosts are told', async () => {
    const secure = await runningServer(() => ({ boot: { ...BOOT, ...agentAt(0) } }));
    const found = await look(secure.dataDir);
    await secure.close();
    // The admin plane beside it speaks HTTP, and is found all the same.
    expect(found.get('server')).toMatchObject({ level: 'ok' });
    expect(found.get('admin-tls')).toMatchObject({ what: expect.stringContaining('speaks HTTP,') });
    expect(found.get('agent-reach')).toEqual({
      check: 'agent-reach',
      level: 'ok',
      what: expect.stringMatching(/^https:/),
      mend: null,
    });
    expect((await look(server.dataDir)).has('agent-reach')).toBe(false);
  });

  test('where something else answers, or nobody', async () => {
    const { url = '', port = 0 } = server.running.boot ?? {};
    const told = (where: string) =>
      runningServer(() => ({ boot: { ...BOOT, ...agentAt(0, where) } })).then(async (secure) => {
        const found = await look(secure.dataDir);
        await secure.close();
        return found.get('agent-reach');
      });
    const plain = url.replace('http:', 'https:');
    expect(await told(plain)).toMatchObject({
      level: 'problem',
      what: expect.stringContaining(String(port)),
    });
    expect(await told('https://127.0.0.1:1')).toMatchObject({
      level: 'problem',
      what: expect.stringContaining('ECONNREFUSED'),
      mend: expect.stringContaining('--agent-url'),
    });
  });
});
