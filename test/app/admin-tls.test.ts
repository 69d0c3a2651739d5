import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { issueCertificate, newAuthority } from '../../server/keys/certificates.ts';
import { run } from '../cli/run.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

const exec = promisify(execFile);
const loopback = { host: '127.0.0.1', port: 0 };
/** What curl says of a request: its exit code, and the status. */
const curl = (...args: string[]) =>
  exec('curl', ['-q', '-sS', '-o', '/dev/null', '-w', '%{http_code}', ...args]).then(
    ({ stdout }) => stdout,
    (error: { code: number | string; message: string }) => {
      if (typeof error.code === 'string') throw error;
      return `exit ${error.code}`;
    },
  );

describe('a certificate that was made', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await runningServer(() => ({ adminTls: { files: null } }));
  });
  afterAll(() => server.close());
  const ca = () => join(server.dataDir, 'keys/tls/ca.pem');
  const health = () => `${server.running.adminUrl}/healthz`;

  test('curl takes it with its authority, and not without', async () => {
    expect(server.running.adminUrl).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(server.running.tls?.caFile).toBe(ca());
    expect(await curl('--cacert', ca(), health())).toBe('200');
    expect(await curl('--cacert', ca(), '--tls-max', '1.2', health())).toBe('200');
    expect(await curl(health())).toBe('exit 60');
    expect(await curl(health().replace('https:', 'http:'))).toBe('exit 52');
  });

  const cli = (args: string[], env: Record<string, string> = {}) =>
    run(['hosts', ...args], { env, readFile: (file) => readFile(file, 'utf8') });

  test('a command on the same machine needs no flag', async () => {
    expect(await cli(['--data', server.dataDir])).toMatchObject({ code: 0 });
  });

  test('elsewhere the authority is named, by flag, variable or config file, or its fingerprint', async () => {
    const there = ['--server', server.running.adminUrl, '--token', server.token];
    expect(await cli([...there, '--ca', ca()])).toMatchObject({ code: 0 });
    expect(await cli(there, { WARMBOOT_CA: ca() })).toMatchObject({ code: 0 });
    const home = mkdtempSync(join(tmpdir(), 'warmboot-home-'));
    onTestFinished(() => rmSync(home, { recursive: true }));
    await exec('mkdir', ['-p', join(home, 'warmboot')]);
    const config = { server: server.running.adminUrl, token: server.token, ca: ca() };
    writeFileSync(join(home, 'warmboot/config.json'), JSON.stringify(config));
    expect(await cli([], { XDG_CONFIG_HOME: home })).toMatchObject({ code: 0 });
    const { stdout } = await exec('openssl', ['x509', '-in', ca(), '-noout', '-fingerprint', '-sha256']);
    const pin = `sha256:${stdout.trim().split('=')[1]}`;
    const leaf = join(home, 'leaf.pem');
    writeFileSync(leaf, readFileSync(join(server.dataDir, 'keys/tls/admin.pem')));
    const shown = await exec('openssl', ['x509', '-in', leaf, '-noout', '-fingerprint', '-sha256']);
    expect(await cli([...there, '--pin', `sha256:${shown.stdout.trim().split('=')[1]}`])).toMatchObject({
      code: 0,
    });
    expect(await cli([...there, '--pin', pin])).toMatchObject({ code: 0 });
  });

  test('without them nothing is sent, and the sentence says what is missing', async () => {
    const there = ['--server', server.running.adminUrl, '--token', server.token];
    const plain = await cli(there);
    expect(plain.code).toBe(1);
    expect(plain.stderr).toMatch(/authority that is not known here; name it with --ca/);
    const pin = `sha256:${'0'.repeat(64)}`;
    expect((await cli([...there, '--pin', pin])).stderr).toMatch(/does not show the pinned certificate/);
    expect(await cli([...there, '--pin', 'abc'])).toMatchObject({ code: 2 });
    expect((await cli([...there, '--ca', '/none.pem'])).stderr).toMatch(/cannot be read: ENOENT/);
  });

  test('of another authority: this machine finds it, others are told that theirs is not it', async () => {
    const aside = mkdtempSync(join(tmpdir(), 'warmboot-aside-'));
    onTestFinished(() => rmSync(aside, { recursive: true }));
    const pinOf = async (file: string) => {
      const { stdout } = await exec('openssl', ['x509', '-in', file, '-noout', '-fingerprint', '-sha256']);
      return `sha256:${stdout.trim().split('=')[1]}`;
    };
    const [old, oldPin] = [join(aside, 'tls/ca.pem'), await pinOf(ca())];
    await server.running.close();
    renameSync(join(server.dataDir, 'keys/tls'), join(aside, 'tls'));
    await server.restart();
    expect(await cli(['--data', server.dataDir])).toMatchObject({ code: 0 });
    const there = ['--server', server.running.adminUrl, '--token', server.token];
    expect(await cli([...there, '--ca', old])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('authority that is not known here; name it with --ca'),
    });
    expect((await cli([...there, '--pin', oldPin])).stderr).toMatch(/does not show the pinned certificate/);
    expect(await cli([...there, '--ca', ca()])).toMatchObject({ code: 0 });
    expect(await cli([...there, '--pin', await pinOf(ca())])).toMatchObject({ code: 0 });
  });
});

describe("the operator's own certificate", () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-own-'));
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const caFile = join(folder, 'ca.pem');
  let authority: Awaited<ReturnType<typeof newAuthority>>;
  let server: TestServer;

  async function issue(name: string): Promise<void> {
    const { certPem, keyPem } = await issueCertificate(authority, [name, '127.0.0.1'], Date.now());
    writeFileSync(certFile, certPem);
    writeFileSync(keyFile, keyPem);
  }

  beforeAll(async () => {
    authority = await newAuthority('the company');
    writeFileSync(caFile, authority.certPem);
    await issue('one.example.com');
    server = await runningServer(() => ({
      adminListen: loopback,
      adminTls: { files: { certFile, keyFile } },
    }));
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  const subject = () =>
    new Promise<{ socket: TLSSocket; names: string | undefined }>((resolve, reject) => {
      const { port } = new URL(server.running.adminUrl);
      const socket = connect({ host: '127.0.0.1', port: Number(port), ca: authority.certPem }, () =>
        resolve({ socket, names: socket.getPeerCertificate().subjectaltname }),
      );
      socket.once('error', reject);
    });

  test('is shown to the network, and the made one to this machine', async () => {
    expect(await curl('--cacert', caFile, `${server.running.adminUrl}/healthz`)).toBe('200');
    expect(
      await run(['hosts', '--data', server.dataDir], { readFile: (f) => readFile(f, 'utf8') }),
    ).toMatchObject({ code: 0 });
  });

  test('is loaded anew without dropping a connection; one that cannot be used leaves the old', async () => {
    const before = await subject();
    expect(before.names).toContain('one.example.com');
    await issue('two.example.com');
    await server.running.tls?.reload();
    const after = await subject();
    expect(after.names).toContain('two.example.com');
    before.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    const answer = await new Promise((resolve) =>
      before.socket.once('data', (data) => resolve(String(data))),
    );
    expect(answer).toContain('200 OK');
    copyFileSync(join(server.dataDir, 'keys/tls/ca.pem'), certFile);
    await server.running.tls?.reload();
    const still = await subject();
    expect(still.names).toContain('two.example.com');
    for (const { socket } of [before, after, still]) socket.destroy();
  });

  test('of another key is refused at the start, with the flag that mends it', async () => {
    await server.running.close();
    await expect(server.restart()).rejects.toThrow(
      /does not belong to the certificate. Name another with --tls-cert/,
    );
    await issue('three.example.com');
    await server.restart();
  });
});
