import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { manifestKey, newManifestKeyPem } from '../../server/keys/manifest-key.ts';
import { openTlsFolder } from '../../server/keys/tls-folder.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { FakeHost, SHELLS } from './shell.ts';

/** The real scripts, curl and OpenSSL against the real server. */

const loopback = { host: '127.0.0.1', port: 0 };
const TOKEN = 'f'.repeat(64);
let isSecure = true;
let allowsPlain = false;
let agentPort = 0;
let server: TestServer;
let host: FakeHost;
let mac: string;

const settings = () => ({
  boot: {
    listen: loopback,
    tftp: null,
    nbpFolders: [],
    url: null,
    proxyDhcp: null,
    ...(isSecure && { agent: { listen: { ...loopback, port: agentPort }, url: null, allowsPlain } }),
  },
});
const bootUrl = () => server.running.boot?.url ?? '';
const agentUrl = () => server.running.boot?.agentUrl ?? '';

beforeAll(async () => {
  server = await runningServer(settings);
  agentPort = Number(new URL(agentUrl()).port);
});
afterAll(() => server.close());

/** A host that is installed and claimed: its state partition holds what config.img gave the installer. */
beforeEach(async () => {
  host = new FakeHost();
  mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const { text } = await server.admin(`/api/v1/hosts/${mac}/attempts`);
  const { attempts } = JSON.parse(text) as { attempts: { id: string }[] };
  await host.takeConfig(bootUrl());
  const claim = `-d attempt=${attempts[0]?.id} -d token=${TOKEN} "$SERVER/boot/hosts/${mac}/claims"`;
  expect(await run(`SERVER=''; trust_settle; request 5 "$T/out" ${claim}; echo $HTTP_STATUS`)).toBe('201');
});
afterEach(() => host.remove());

const SH = SHELLS[0] ?? ['sh'];
const BEGIN = `SERVER_PEM=$STATE/server.pem; SERVER=$(cat "$STATE/server.url"); trust_settle; use_token ${TOKEN}; ETAG=''\n`;
const run = (script: string, before: string[] = [], shell: readonly string[] = SH) =>
  host.runForReal(shell, `SERVER_PEM=$STATE/server.pem\n${script}`, { HOST: mac }, before);
/** One look at the manifest by an agent that just started; what it trusts in then. */
const look = (before: string[] = [], shell: readonly string[] = SH) =>
  run(`${BEGIN} manifest_fetch 0; echo "result $?"; echo "$SERVER $T_EDITION $HELD_KEYS"`, before, shell);
const said = () => (existsSync(host.path('run/log')) ? readFileSync(host.path('run/log'), 'utf8') : '');
const state = (name: string) => readFileSync(host.path(`run/state/${name}`), 'utf8');

describe('TLS', () => {
  test.each(SHELLS)('%s %s: the manifest comes by it, and its files by the boot plane', async (...shell) => {
    expect(await look([], shell)).toMatch(new RegExp(`^result 0\n${agentUrl()} \\d+ [0-9a-f]{16}$`));
    expect(readFileSync(host.path('run/manifest.new'), 'utf8')).toContain(
      `KERNEL_URL='${bootUrl()}/boot/images/`,
    );
    expect(said()).toBe('');
  });

  test.each(['1970-01-01 00:00:30', '2003-06-01 12:00:00', '2100-01-01 00:00:00'])(
    'a clock that says %s does not matter',
    async (time) => {
      expect(await look(['faketime', '-f', `@${time}`])).toMatch(/^result 0\nhttps:/);
    },
  );

  test('another server is refused before anything is sent to it, and that is said', async () => {
    const other = await openTlsFolder(join(host.root, 'other'), 'another');
    const body = other.caPem.replaceAll(/-----[^-]+-----|\s/g, '');
    host.write('run/state/trust', state('trust').replace(/CA='[^']*'/, `CA='${body}'`));
    // It asks the boot plane what is true, and is told nothing newer.
    expect(await look()).toMatch(/^result 1\nhttps:/);
    expect(said()).toMatch(/refused: https:\S+ is not the server that this host belongs to: curl: \(60\)/);
  });

  test('the token goes to the server alone', async () => {
    const out = await run(
      `${BEGIN} for url in "$SERVER/boot/x" ${bootUrl()}/boot/images/x http://10.0.0.9/m; do grep -c Authorization "$(conf_for "$url")"; done`,
    );
    expect(out.split('\n')).toEqual(['1', '0', '0']);
  });

  test('by plain HTTP nothing of a host is answered, and the host finds its way', async () => {
    const manifest = `${bootUrl()}/boot/hosts/${mac}/manifest`;
    const { status, headers } = await server.boot(`/boot/hosts/${mac}/manifest`);
    const files = await server.boot(`/boot/hosts/${mac}/files/${'0'.repeat(64)}`);
    expect(files.status).toBe(426);
    expect([status, headers.upgrade, manifest.startsWith('http:')]).toEqual([426, 'TLS/1.2, HTTP/1.1', true]);
    // As installed before TLS was switched on: nothing but the key and the plain address.
    host.write('run/state/trust', '');
    expect(await look()).toMatch(new RegExp(`^result 4\n${agentUrl()} [1-9]\\d+ `));
    expect(await look()).toMatch(/^result 0\nhttps:/);
  });

  test('an agent that knows nothing of it goes on where that is allowed', async () => {
    allowsPlain = true;
    await server.restart();
    const plain = await server.boot(`/boot/hosts/${mac}/manifest`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(plain.status).toBe(200);
    allowsPlain = false;
    await server.restart();
  });

  test('when TLS is switched off hosts come back to plain HTTP by a signed word', async () => {
    expect(await look()).toMatch(/^result 0\nhttps:/);
    const before = state('trust');
    isSecure = false;
    await server.restart();
    // The boot plane has another port in this test; a real one keeps its.
    host.write('run/state/trust', before.replace(/BOOT_URL='[^']*'/, `BOOT_URL='${bootUrl()}'`));
    expect(await look()).toMatch(new RegExp(`^result 1\n${bootUrl()} `));
    expect(await look()).toMatch(/^result 0\nhttp:/);
    isSecure = true;
    await server.restart();
  });
});

describe('what is not taken', () => {
  const news = () => run(`${BEGIN} trust_news; echo "result $? $T_EDITION"`);
  const stand = async (text: string, pem: string) => {
    // The boot plane, played by a file: curl answers with it.
    host.write('answer', text);
    host.write('signature', `warmboot-signature: ${await manifestKey(pem).sign(Buffer.from(text))}\r\n`);
  };
  const played = 'request() { cp "$T/answer" "$2"; cp "$T/signature" "$WB_RUN/headers"; HTTP_STATUS=200; }\n';
  const playedNews = () => run(`${BEGIN} ${played} trust_news; echo "result $? $T_EDITION"`);
  const later = (text: string) => text.replace(/EDITION='(\d+)'/, (_, n) => `EDITION='${Number(n) + 1}'`);
  const active = () => readFileSync(join(server.dataDir, 'keys/manifest.pem'), 'utf8');

  test('the same again changes nothing', async () => {
    expect(await news()).toMatch(/^result 1 \d+$/);
    expect(said()).toBe('');
  });

  test('a key that the old one has not signed', async () => {
    const before = state('trust');
    await stand(later(before), newManifestKeyPem());
    expect(await playedNews()).toMatch(/^result 1 /);
    expect(state('trust')).toBe(before);
    expect(said()).toMatch(/no key that this host holds has signed it/);
  });

  test('an older document, replayed', async () => {
    const old = state('trust');
    await stand(later(old), active());
    expect(await playedNews()).toMatch(/^result 0 /);
    await stand(old, active());
    expect(await playedNews()).toMatch(/^result 1 /);
    expect(said()).toMatch(/it is of edition \d+, and this host has \d+/);
  });

  test.each([
    ['no key', (text: string) => text.replace(/KEY='[^']*'/, "KEY=''")],
    ['TLS without an authority', (text: string) => text.replace(/CA='[^']*'/, "CA=''")],
    ['an address that is none', (text: string) => text.replace(/\nURL='[^']*'/, "\nURL='ftp://x'")],
    ['an address with a quote', (text: string) => text.replace(/\nURL='[^']*'/, "\nURL='http://x\"; id'")],
    ['another version', (text: string) => text.replace("TRUST='1'", "TRUST='2'")],
  ])('signed, but with %s', async (_, change) => {
    await stand(change(later(state('trust'))), active());
    expect(await playedNews()).toMatch(/^result 1 /);
    expect(said()).toMatch(/it cannot be read/);
  });
});

describe('a key is followed by another', () => {
  type Shown = { id: string; state: string; dependents: number; hosts: string[] };
  const keys = async () => (JSON.parse((await server.admin('/api/v1/keys')).text) as { keys: Shown[] }).keys;
  const rotate = async (overlapSeconds: number) => {
    const { status, text } = await server.admin('/api/v1/keys', { body: { overlapSeconds } });
    expect(status).toBe(201);
    return (JSON.parse(text) as Shown).id;
  };
  const held = async () => (await look()).split(' ').at(-1);
  const becomes = async (id: string, wanted: string) => {
    await expect.poll(async () => (await keys()).find((key) => key.id === id)?.state).toBe(wanted);
  };

  test('announced, both held, then the switch, then the old one dropped; a host that was off comes over', async () => {
    const old = await held();
    const asleep = state('trust');
    const next = await rotate(3600);
    expect((await server.admin('/api/v1/keys', { body: {} })).status).toBe(409);
    expect(await look()).toMatch(new RegExp(`^result 0\n.* ${old},${next}$`));
    expect(state('server.pem')).toContain('BEGIN PUBLIC KEY');
    // The server is killed and comes back with both.
    await server.restart();
    expect((await keys()).map(({ state: now }) => now).filter((now) => now !== 'dropped')).toEqual([
      'active',
      'announced',
    ]);
    expect((await server.admin(`/api/v1/keys/${next}`, { method: 'DELETE' })).status).toBe(204);
    const last = await rotate(0);
    await becomes(last, 'active');
    expect(await look()).toMatch(new RegExp(`^result 0\n.* ${last}$`));
    // Off since before all of it: it knows nothing but the first key, and is still told under that one.
    host.write('run/state/trust', asleep);
    expect(await look()).toMatch(new RegExp(`^result 0\n.* ${last}$`));
    expect(await look()).toMatch(/^result 0\n/);
    await expect
      .poll(async () => (await keys()).find(({ id }) => id === old)?.hosts.includes(mac))
      .toBe(false);
  });

  test('a key that hosts need is not dropped but by force; then they say why they stand still', async () => {
    const old = (await held()) ?? '';
    await look();
    const next = await rotate(0);
    await becomes(next, 'active');
    const { status, text } = await server.admin(`/api/v1/keys/${old}`, { method: 'DELETE' });
    expect([status, text]).toEqual([409, expect.stringContaining('can verify nothing but key')]);
    expect((await server.admin(`/api/v1/keys/${next}`, { method: 'DELETE' })).status).toBe(409);
    expect((await server.admin(`/api/v1/keys/${old}?force=true`, { method: 'DELETE' })).status).toBe(204);
    expect(existsSync(join(server.dataDir, `keys/manifest-${old}.pem`))).toBe(false);
    expect(await look()).toMatch(/^result 3\n/);
    expect(said()).toMatch(/no key that this host holds has signed it/);
  });
});
