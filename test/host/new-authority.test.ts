import { readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { BOOT, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { FakeHost, INSTALLER } from './shell.ts';

/** The agent itself, with curl and OpenSSL, while its server gets another TLS authority: the steps of docs/operations.md. */

const TOKEN = 'f'.repeat(64);
let server: TestServer;
let agentPort = 0;
let host: FakeHost;
let mac: string;
let attempt: string;
let agent: Promise<string> | null = null;

beforeAll(async () => {
  server = await runningServer(() => ({
    boot: { ...BOOT, agent: { listen: { ...BOOT.listen, port: agentPort }, url: null, allowsPlain: false } },
  }));
  agentPort = Number(new URL(server.running.boot?.agentUrl ?? '').port);
});
afterAll(() => server.close());

/** A host that was installed and claimed, and boots its disk. */
beforeEach(async () => {
  host = new FakeHost();
  mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const { json } = await server.admin(`/api/v1/hosts/${mac}/attempts`);
  attempt = json.attempts[0].id;
  host.isInstalled({ slot: 'a', digest: server.one.digest, attempt });
  host.write('run/state/host', `${mac}\n`);
  host.write('run/state/token', `${TOKEN}\n`);
  await host.takeConfig(server.running.boot?.url ?? '');
  expect(
    await says(`request 5 "$T/out" -d attempt=${attempt} -d token=${TOKEN} "${CLAIMS}"; echo $HTTP_STATUS`),
  ).toBe('201');
});
afterEach(async () => {
  host.write('enough', '');
  // Lets go of the question that the agent waits in.
  if (agent) await server.restart();
  await agent;
  agent = null;
  host.remove();
});

const CLAIMS = '$SERVER/boot/hosts/$HOST/claims';
/** What the host's shell says to this, when it knows itself and its server. */
const says = (script: string) =>
  host.runForReal(['sh'], `SERVER_PEM=$STATE/server.pem; trust_settle; use_token ${TOKEN}\n${script}`, {
    HOST: mac,
  });
const shown = async () => (await server.admin(`/api/v1/hosts/${mac}`)).json;
const authority = () => join(server.dataDir, 'keys/tls');
const trusted = () => /CA='([^']*)'/.exec(readFileSync(host.path('run/state/trust'), 'utf8'))?.[1];
const inForce = () => readFileSync(join(authority(), 'ca.pem'), 'utf8').replaceAll(/-----[^-]+-----|\s/g, '');
const said = () => readFileSync(host.path('run/log'), 'utf8');
/** The steps of an operator. */
const replace = async (how: () => void) => {
  await server.running.close();
  how();
  await server.restart();
};
const aside = () => join(server.dataDir, 'tls-aside');
const moveAway = () => renameSync(authority(), aside());
/** As a restore of an older backup would. */
const putBack = () => {
  rmSync(authority(), { recursive: true });
  renameSync(aside(), authority());
};

test('it is moved away, a new one made, the old one put back: the agent comes over by itself each time', async () => {
  agent = host.runAgent();
  // Heard by TLS: it speaks to nobody who shows another authority than it holds.
  const comesBack = async (since: number) => {
    const { poll } = expect;
    await poll(async () => (await shown()).lastSeen, { interval: 300 }).toBeGreaterThan(since);
    expect(trusted()).toBe(inForce());
  };
  await expect.poll(async () => (await shown()).state).toBe('active');
  const first = inForce();
  await replace(moveAway);
  await comesBack(Date.now());
  expect(inForce()).not.toBe(first);
  expect(said()).toMatch(/refused: https:\S+ is not the server that this host belongs to/);
  expect(said()).toMatch(/trusts edition \d+ of its server: https:/);
  await replace(putBack);
  await comesBack(Date.now());
  expect(inForce()).toBe(first);
});

test('who works only reports meanwhile, and learns of it by that', async () => {
  const report = 'ATTEMPT=$(cmdline_value warmboot.attempt); report progress phase=write; echo $?';
  expect(await says(report)).toBe('0');
  await replace(moveAway);
  expect(await says(`${report}; ${report}`)).toMatch(/1\n(.*\n)?0$/);
  expect(trusted()).toBe(inForce());
  await replace(putBack);
});

test('an installer that was about to claim does so at its next look', async () => {
  host.write('run/token', TOKEN);
  const claim = `. '${join(INSTALLER, 'install.sh')}'; M_ATTEMPT=${attempt} M_HOST=$HOST; claim; echo "claim $?"`;
  await replace(moveAway);
  const out = await says(`${claim}; manifest_fetch 0; ${claim}`);
  expect(out).toMatch(/^claim 1$.*^claim 0$/ms);
  expect(said()).toContain('the server does not answer the claim');
  await replace(putBack);
});

test('who has the key of before is nobody to a host that has come over', async () => {
  await replace(moveAway);
  await says('manifest_fetch 0');
  const pem = readFileSync(join(aside(), 'agent.pem'));
  const impostor = createServer({ key: pem, cert: pem }, (_, answer) => answer.end('{}'));
  await new Promise<void>((done) => impostor.listen(0, '127.0.0.1', done));
  onTestFinished(() => void impostor.close());
  const there = `https://127.0.0.1:${(impostor.address() as AddressInfo).port}`;
  const ask = `request 5 "$T/out" --cacert '${join(aside(), 'ca.pem')}' ${there}/; echo $HTTP_STATUS`;
  expect(await says(ask)).toBe('200');
  expect(await says(`SERVER=${there}; curl_conf; manifest_fetch 0; echo $HTTP_STATUS`)).toMatch(/^000$/m);
  expect(said()).toContain(`refused: ${there} is not the server`);
  await replace(putBack);
});
