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
    metricsListen: null,
    stopTimeoutSeconds: 60,
    logLevel: 'info',
    adminTls: null,
    agent: null,
    tftpListen: { host: '0.0.0.0', port: 69 },
    tftpSinglePort: false,
    bootUrl: null,
    nbpDirs: [],
    powerHook: null,
    limits: { atOnce: null, rate: null, atOncePerHost: null, ratePerHost: null },
    events: { days: 400, count: 2_000_000, webhookLinkLocal: false },
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
    WARMBOOT_METRICS_LISTEN: '127.0.0.1:9464',
    WARMBOOT_STOP_TIMEOUT: '85',
    WARMBOOT_LOG: 'warn',
    WARMBOOT_TFTP_LISTEN: 'off',
    WARMBOOT_TFTP_SINGLE_PORT: 'yes',
    WARMBOOT_BOOT_URL: 'http://10.0.0.1/',
    WARMBOOT_IMAGES: '/srv/images',
    WARMBOOT_NBP_DIR: '/srv/nbp:/opt/ipxe',
    WARMBOOT_POWER_HOOK: '/srv/cycle',
    WARMBOOT_POWER_HOOK_TIMEOUT: '60',
    WARMBOOT_EVENT_DAYS: '30',
    WARMBOOT_EVENT_COUNT: '0',
    WARMBOOT_WEBHOOK_LINK_LOCAL: 'yes',
    WARMBOOT_MAX_TRANSFERS: '40',
    WARMBOOT_MAX_RATE: '500MiB',
    WARMBOOT_MAX_TRANSFERS_PER_HOST: '2',
    WARMBOOT_MAX_RATE_PER_HOST: '64MiB',
  };
  expect((await served([], env)).options).toEqual({
    data: '/srv/env',
    images: '/srv/images',
    bootListen: { host: '10.0.0.1', port: 80 },
    adminListen: { host: '::1', port: 0 },
    metricsListen: { host: '127.0.0.1', port: 9464 },
    stopTimeoutSeconds: 85,
    logLevel: 'warn',
    adminTls: null,
    agent: null,
    tftpListen: null,
    tftpSinglePort: true,
    bootUrl: 'http://10.0.0.1',
    nbpDirs: ['/srv/nbp', '/opt/ipxe'],
    powerHook: { file: '/srv/cycle', timeoutMs: 60_000, atOnce: 4 },
    limits: { atOnce: 40, rate: 500 * 1024 ** 2, atOncePerHost: 2, ratePerHost: 64 * 1024 ** 2 },
    events: { days: 30, count: null, webhookLinkLocal: true },
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
    '--metrics-listen',
    'off',
    '--stop-timeout',
    '0',
    '--max-transfers',
    '9',
    '--power-hook',
    '/srv/other',
    '--power-hook-max',
    '2',
  ];
  flags.push('--event-days', '7');
  flags.push('--boot-url', 'http://boot:81/x/', '--images', './here', '--nbp-dir', 'one', '--nbp-dir', 'two');
  expect((await served(flags, env)).options).toEqual({
    data: '/srv/flag',
    images: './here',
    bootListen: { host: '0.0.0.0', port: 81 },
    adminListen: { host: '0.0.0.0', port: 82 },
    metricsListen: null,
    stopTimeoutSeconds: 0,
    logLevel: 'warn',
    adminTls: null,
    agent: null,
    tftpListen: { host: '::', port: 83 },
    tftpSinglePort: true,
    bootUrl: 'http://boot:81/x',
    nbpDirs: ['one', 'two'],
    powerHook: { file: '/srv/other', timeoutMs: 60_000, atOnce: 2 },
    limits: { atOnce: 9, rate: 500 * 1024 ** 2, atOncePerHost: 2, ratePerHost: 64 * 1024 ** 2 },
    events: { days: 7, count: null, webhookLinkLocal: true },
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

const files = { certFile: '/etc/cert.pem', keyFile: '/etc/key.pem' };
test.each([
  [['--admin-tls'], {}, { files: null }],
  [[], { WARMBOOT_ADMIN_TLS: 'yes' }, { files: null }],
  [[], { WARMBOOT_ADMIN_TLS: 'no' }, null],
  [['--tls-cert', '/etc/cert.pem', '--tls-key', '/etc/key.pem'], {}, { files }],
  [['--admin-tls'], { WARMBOOT_TLS_CERT: '/etc/cert.pem', WARMBOOT_TLS_KEY: '/etc/key.pem' }, { files }],
])('TLS of the admin plane: %j %j', async (args, env, adminTls) => {
  const { options } = await served(args, env as Record<string, string>);
  expect(options?.adminTls).toEqual(adminTls);
});

const at = { host: '10.0.0.1', port: 8443 };
test.each([
  [['--agent-listen', '10.0.0.1:8443'], {}, { listen: at, url: null, allowsPlain: false }],
  [
    [],
    { WARMBOOT_AGENT_LISTEN: '10.0.0.1:8443', WARMBOOT_AGENT_PLAIN: 'yes' },
    { listen: at, url: null, allowsPlain: true },
  ],
  [
    ['--agent-listen', '10.0.0.1:8443', '--agent-url', 'https://boot/', '--agent-plain'],
    {},
    { listen: at, url: 'https://boot', allowsPlain: true },
  ],
])('TLS for hosts: %j %j', async (args, env, agent) => {
  expect((await served(args, env as Record<string, string>)).options?.agent).toEqual(agent);
});

test('the exit code is that of the server', async () => {
  expect((await run(['serve'], { serve: async () => 3 })).code).toBe(3);
});

test.each([
  [['--tls-cert', '/etc/cert.pem'], {}, 'A certificate and its key belong together'],
  [['--tls-cert', 'c', '--tls-key', 'k'], { WARMBOOT_ADMIN_TLS: 'no' }, 'Leave one out'],
  [['--agent-url', 'https://boot'], {}, 'belong to --agent-listen'],
  [['--agent-listen', ':1', '--agent-url', 'http://boot'], {}, 'It begins with https://'],
  [['--boot-listen', 'here'], {}, "'here' is invalid. It is ADDRESS:PORT"],
  [['--boot-listen', '1.2.3.4:99999'], {}, 'is invalid'],
  [['--stop-timeout', 'soon'], {}, 'It is a whole number of seconds'],
  [[], { WARMBOOT_STOP_TIMEOUT: '-1' }, 'WARMBOOT_STOP_TIMEOUT is "-1". It is a whole number of seconds'],
  [[], { WARMBOOT_LOG: 'loud' }, 'WARMBOOT_LOG is "loud". It is one of debug, info, warn, error, silent.'],
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
