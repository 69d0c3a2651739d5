import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { examine } from '../../server/app/examine.ts';
import type { Config } from '../../server/config.ts';
import type { Finding } from '../../server/core/finding.ts';
import { MIGRATIONS, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
}, 30_000);
afterAll(() => server.close());

async function look(
  dataDir: string,
  boot: Partial<NonNullable<Config['boot']>> = {},
): Promise<Map<string, Finding>> {
  const listen = { host: '127.0.0.1', port: 0 };
  const config: Config = {
    dataDir,
    imagesDir: join(import.meta.dirname, '../../images'),
    migrationsDir: MIGRATIONS,
    adminListen: listen,
    boot: { listen, tftp: listen, url: null, nbpFolders: [], proxyDhcp: null, ...boot },
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

test('a port of the boot plane that another program has', async () => {
  const port = server.running.boot?.port ?? 0;
  const found = await look(join(server.dataDir, 'nothing'), { listen: { host: '127.0.0.1', port } });
  expect(found.get('boot-port')).toMatchObject({
    level: 'problem',
    mend: expect.stringContaining('--boot-listen'),
  });
});
