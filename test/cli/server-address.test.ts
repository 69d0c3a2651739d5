import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { adminServer, INSTANCE } from './admin-server.ts';
import { run } from './run.ts';

const images = { 'GET /api/v1/images': () => ({ images: [] }) };
const token = { 'data/admin.token': 'secret' };

function note(adminUrl: string, instance = INSTANCE): Record<string, string> {
  return { ...token, 'data/server.json': JSON.stringify({ adminUrl, instance }) };
}

test('flag before environment before config file before the data folder', async () => {
  const servers = await Promise.all([1, 2, 3, 4].map(() => adminServer(images)));
  const [flag = '', env = '', config = '', data = ''] = servers.map(({ url }) => url);
  const files = {
    ...note(data),
    '/home/me/.config/warmboot/config.json': JSON.stringify({ server: config }),
  };
  const HOME = '/home/me';
  await run(['images', '--server', `${flag}/`], { files, env: { HOME, WARMBOOT_SERVER: env } });
  await run(['images'], { files, env: { HOME, WARMBOOT_SERVER: env } });
  await run(['images'], { files, env: { HOME } });
  await run(['images'], { files, env: { HOME: '/home/other', WARMBOOT_SERVER: '' } });
  expect(servers.map(({ asked }) => asked.map(({ path }) => path))).toEqual([
    ['/api/v1/images'],
    ['/api/v1/images'],
    ['/api/v1/images'],
    ['/healthz', '/api/v1/images'],
  ]);
  // Nobody is given the token before he proved who he is.
  expect(servers[3]?.asked[0]?.headers.authorization).toBeUndefined();
});

test('the data folder is named by flag or environment', async () => {
  const server = await adminServer(images);
  const { 'data/server.json': text = '' } = note(server.url);
  const files = { '/srv/a/server.json': text, '/srv/a/admin.token': 'a' };
  const byFlag = await run(['images', '--data', '/srv/a'], { files, env: { WARMBOOT_DATA: '/srv/b' } });
  const byEnv = await run(['images'], { files, env: { WARMBOOT_DATA: '/srv/a' } });
  expect([byFlag.code, byEnv.code]).toEqual([0, 0]);
});

test('without any, a server is started on the data folder, and closed at the end', async () => {
  const server = await adminServer({});
  const calls: unknown[] = [];
  const startServer = async (options: unknown) => {
    calls.push(options);
    return {
      adminUrl: `${server.url}/`,
      close: async () => {
        calls.push('closed');
      },
    };
  };
  server.routes['GET /api/v1/images'] = () => ({ images: [] });
  const good = await run(['images', '--data', '/srv/x'], {
    startServer,
    files: { '/srv/x/admin.token': 'x' },
  });
  expect([good.code, server.asked[0]?.headers.authorization]).toEqual([0, 'Bearer x']);
  delete server.routes['GET /api/v1/images'];
  const bad = await run(['images'], { startServer, env: { WARMBOOT_IMAGES: '/srv/images' } });
  expect(bad.code).toBe(1);
  expect(calls).toEqual([
    { data: '/srv/x', images: null },
    'closed',
    { data: './data', images: '/srv/images' },
    'closed',
  ]);
});

test('a note is not believed when another server, or none, is there', async () => {
  const other = await adminServer(images);
  const gone = await adminServer();
  await gone.close();
  const web = createServer((_request, response) => response.end('<html>'));
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    web.close();
  });
  const own = await adminServer(images);
  const notes = [
    note(other.url, 'another instance'),
    note(gone.url),
    note(`http://127.0.0.1:${(web.address() as AddressInfo).port}`),
    note('file:///etc/passwd'),
    { ...token, 'data/server.json': '{"adminUrl": 7' },
    { ...token, 'data/server.json': 'null' },
  ];
  for (const files of notes) {
    const { code } = await run(['images'], {
      files,
      startServer: async () => ({ adminUrl: own.url, close: async () => {} }),
    });
    expect(code).toBe(0);
  }
  expect(own.asked).toHaveLength(notes.length);
  expect(other.asked.map(({ path }) => path)).toEqual(['/healthz']);
});

test('a note that may not be read is no reason to start a second server', async () => {
  const { code, stderr } = await run(['images'], { denied: ['data/server.json'] });
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('data/server.json cannot be read: permission denied.'),
  ]);
});

test('why no server could be started is said as it is', async () => {
  const refusal = Object.assign(new Error('The folder ./data is in use.'), { name: 'WarmbootError' });
  const { code, stderr } = await run(['images'], { startServer: () => Promise.reject(refusal) });
  expect([code, stderr]).toEqual([1, 'warmboot: The folder ./data is in use.\n']);
});

test.each([
  ['127.0.0.1:8081', 'is no address'],
  ['ftp://host', 'is no address'],
  ['http://host/?x=1', 'is no address'],
  ['http://me:secret@host', 'holds a user name'],
])('%s is refused as address', async (text, why) => {
  const { code, stderr } = await run(['images', '--server', text]);
  expect(code).toBe(2);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toContain(why.replace('is no address', 'which is no address'));
});

test('a config file that is not understood is named', async () => {
  for (const text of ['{', '[]', '{"server": 7}', '{"token": ""}']) {
    const { code, stderr } = await run(['images'], {
      env: { XDG_CONFIG_HOME: '/conf' },
      files: { '/conf/warmboot/config.json': text },
    });
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining('/conf/warmboot/config.json is not understood.'),
    ]);
  }
});
