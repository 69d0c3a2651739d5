import { expect, test } from 'vitest';
import type { ServeOptions } from '../../server/cli/world.ts';
import { run } from './run.ts';

async function served(args: readonly string[], env: Record<string, string> = {}) {
  let options: ServeOptions | null = null;
  const ran = await run(['serve', ...args], {
    env,
    serve: async (given) => {
      options = given;
      return 0;
    },
  });
  return { ...ran, options: options as ServeOptions | null };
}

test('defaults', async () => {
  expect((await served([])).options).toEqual({
    data: './data',
    images: null,
    bootListen: { host: '0.0.0.0', port: 8080 },
    adminListen: { host: '127.0.0.1', port: 8081 },
    tftpListen: { host: '0.0.0.0', port: 69 },
    tftpSinglePort: false,
    bootUrl: null,
    nbpDirs: [],
    proxyDhcp: null,
  });
});

test('the largest context, for `serve` and for the server of a command', async () => {
  const env = { WARMBOOT_MAX_CONTEXT: '8GiB' };
  expect((await served([], env)).options).toMatchObject({ maxContextBytes: 8 * 1024 ** 3 });
  let own: unknown = null;
  await run(['images'], {
    env,
    startServer: async (options) => {
      own = options;
      throw new Error('enough');
    },
  });
  expect(own).toEqual({ data: './data', images: null, maxContextBytes: 8 * 1024 ** 3 });
});

test('a flag beats its variable', async () => {
  const env = {
    WARMBOOT_DATA: '/srv/env',
    WARMBOOT_BOOT_LISTEN: '10.0.0.1:80',
    WARMBOOT_ADMIN_LISTEN: '[::1]:0',
    WARMBOOT_TFTP_LISTEN: 'off',
    WARMBOOT_TFTP_SINGLE_PORT: 'yes',
    WARMBOOT_BOOT_URL: 'http://10.0.0.1/',
    WARMBOOT_IMAGES: '/srv/images',
    WARMBOOT_NBP_DIR: '/srv/nbp:/opt/ipxe',
  };
  expect((await served([], env)).options).toEqual({
    data: '/srv/env',
    images: '/srv/images',
    bootListen: { host: '10.0.0.1', port: 80 },
    adminListen: { host: '::1', port: 0 },
    tftpListen: null,
    tftpSinglePort: true,
    bootUrl: 'http://10.0.0.1',
    nbpDirs: ['/srv/nbp', '/opt/ipxe'],
    proxyDhcp: null,
  });
  const flags = [
    '--data',
    '/srv/flag',
    '--boot-listen',
    ':81',
    '--admin-listen',
    '82',
    '--tftp-listen',
    '[::]:83',
  ];
  flags.push('--boot-url', 'http://boot:81/x/', '--images', './here', '--nbp-dir', 'one', '--nbp-dir', 'two');
  expect((await served(flags, env)).options).toEqual({
    data: '/srv/flag',
    images: './here',
    bootListen: { host: '0.0.0.0', port: 81 },
    adminListen: { host: '0.0.0.0', port: 82 },
    tftpListen: { host: '::', port: 83 },
    tftpSinglePort: true,
    bootUrl: 'http://boot:81/x',
    nbpDirs: ['one', 'two'],
    proxyDhcp: null,
  });
  expect((await served(['--tftp-listen', 'off'])).options?.tftpListen).toBeNull();
  expect((await served(['--tftp-single-port'])).options?.tftpSinglePort).toBe(true);
  expect((await served([], { WARMBOOT_TFTP_SINGLE_PORT: 'no' })).options?.tftpSinglePort).toBe(false);
});

test.each([
  [['--proxy-dhcp'], {}, { clients: 'all', labels: null, interfaces: [] }],
  [['--proxy-dhcp', 'known'], {}, { clients: 'known', labels: null, interfaces: [] }],
  [[], { WARMBOOT_PROXY_DHCP: 'known' }, { clients: 'known', labels: null, interfaces: [] }],
  [['--proxy-dhcp', 'off'], { WARMBOOT_PROXY_DHCP: 'all' }, null],
  // The variables of what is off say nothing.
  [[], { WARMBOOT_PROXY_DHCP_LABELS: 'a=b' }, null],
  [
    ['--proxy-dhcp', '--proxy-dhcp-labels', 'rack in (r1)', '--proxy-dhcp-interface', 'eth1'],
    {},
    { clients: 'all', labels: 'rack in (r1)', interfaces: ['eth1'] },
  ],
  [
    [
      '--proxy-dhcp-interface',
      'eth1',
      '--proxy-dhcp-interface',
      'br0',
      '--proxy-dhcp',
      '--boot-listen',
      ':80',
    ],
    {},
    { clients: 'all', labels: null, interfaces: ['eth1', 'br0'] },
  ],
  [
    [],
    {
      WARMBOOT_PROXY_DHCP: 'all',
      WARMBOOT_PROXY_DHCP_INTERFACE: 'eth1, eth2',
      WARMBOOT_PROXY_DHCP_LABELS: 'x',
    },
    { clients: 'all', labels: 'x', interfaces: ['eth1', 'eth2'] },
  ],
])('proxyDHCP: %j %j', async (args, env, proxyDhcp) => {
  const { options } = await served(args, env as Record<string, string>);
  expect(options?.proxyDhcp).toEqual(proxyDhcp);
});

test('the exit code is that of the server', async () => {
  expect((await run(['serve'], { serve: async () => 3 })).code).toBe(3);
});

test.each([
  [['--boot-listen', 'here'], {}, "'here' is invalid. It is ADDRESS:PORT"],
  [['--boot-listen', '1.2.3.4:99999'], {}, 'is invalid'],
  [['--boot-url', '10.0.0.1:8080'], {}, 'is invalid. It is an address like'],
  [[], { WARMBOOT_ADMIN_LISTEN: 'x:y' }, 'WARMBOOT_ADMIN_LISTEN is "x:y". It is ADDRESS:PORT'],
  [[], { WARMBOOT_MAX_CONTEXT: '8GB' }, 'WARMBOOT_MAX_CONTEXT is "8GB". It is a size like'],
  [['--proxy-dhcp', 'some'], {}, 'is invalid. It is all, known or off.'],
  [['--proxy-dhcp-labels', 'a=b'], {}, 'is off: add --proxy-dhcp.'],
  [['--proxy-dhcp-interface', 'eth1'], {}, '--proxy-dhcp-interface limits proxyDHCP'],
  [['--proxy-dhcp', '--proxy-dhcp-interface', 'a/b'], {}, 'is invalid. It is the name of an interface'],
  [[], { WARMBOOT_PROXY_DHCP: 'yes' }, 'WARMBOOT_PROXY_DHCP is "yes". It is all, known or off.'],
  [[], { WARMBOOT_BOOT_URL: 'ftp://x' }, 'WARMBOOT_BOOT_URL is "ftp://x". It is an address like'],
])('%j %j is refused', async (args, env, sentence) => {
  const { code, stderr, options } = await served(args, env);
  expect([code, options]).toEqual([2, null]);
  expect(stderr).toContain(sentence);
});

test('an address that is taken: one sentence', async () => {
  const refusal = Object.assign(new Error('Port 8080 is taken. Stop what listens there.'), {
    name: 'WarmbootError',
  });
  const { code, stderr } = await run(['serve'], { serve: () => Promise.reject(refusal) });
  expect([code, stderr]).toEqual([1, 'warmboot: Port 8080 is taken. Stop what listens there.\n']);
});
