import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { ensureBase } from '../../server/build/docker/base.ts';
import { LABEL } from '../fixtures/container-label.ts';
import { ask, newMac, storeImage, type TestImage } from '../fixtures/running-server.ts';

/** The server's own container image, built from packaging/Containerfile and run by the real Docker as docs/operations.md says. */

const BASE = 'debian:trixie';
const IMAGE = 'warmboot/server-test';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
/** More than all buffers on the way keep. */
const LONG = 128 * 1024 * 1024;

const docker = (...args: string[]) =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: 'pipe' }).trim();

const name = `warmboot-server-test-${process.pid}`;
let image: TestImage;
beforeAll(async () => {
  await ensureBase(new Docker(), BASE, () => {}, new AbortController().signal);
  const build = ['build', '-q', '-f', 'packaging/Containerfile', '--build-arg', `BASE=${BASE}`, '-t', IMAGE];
  await execa('docker', [...build, '--secret', `id=ca,src=${CERTIFICATES}`, '.'], {
    cwd: inCheckout('.'),
    env: { DOCKER_BUILDKIT: '1' },
  });
  docker('volume', 'create', ...LABEL, name);
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-container-'));
  image = await storeImage(folder, 'one');
  await storeImage(folder, 'installer', 'installer');
  const copy = 'cp -a /from/. /var/lib/warmboot && chown -R 969:969 /var/lib/warmboot';
  const volumes = ['-v', `${name}:/var/lib/warmboot`, '-v', `${folder}:/from:ro`];
  docker('run', ...LABEL, '--rm', '-u', '0', ...volumes, '--entrypoint', 'sh', IMAGE, '-c', copy);
  rmSync(folder, { recursive: true });
}, 20 * 60_000);
afterAll(() => {
  docker('rm', '-f', '-v', name);
  docker('volume', 'rm', '-f', name);
});

type Served = {
  readonly boot: string;
  readonly admin: string;
  readonly tftp: string;
  readonly token: string;
};

/** As docs/operations.md says, but for ports, which are any. */
async function serve(stopTimeout: number): Promise<Served> {
  const published = ['8080/tcp', '8081/tcp', '69/udp'];
  docker(
    ...['run', '-d', ...LABEL, '--name', name, '-v', `${name}:/var/lib/warmboot`, '--stop-timeout', '500'],
    ...published.flatMap((port) => ['-p', `127.0.0.1::${port.replace('/tcp', '')}`]),
    ...['-e', `WARMBOOT_STOP_TIMEOUT=${stopTimeout}`, '-e', 'WARMBOOT_ADMIN_LISTEN=0.0.0.0:8081'],
    ...['--cap-drop', 'ALL', '--cap-add', 'NET_BIND_SERVICE', '--cap-add', 'NET_RAW'],
    ...['--read-only', '--tmpfs', '/tmp', '--health-interval', '1s', IMAGE],
  );
  await expect.poll(() => docker('logs', name)).toContain('"ready":true');
  const [boot, admin, tftp] = published.map((port) => docker('port', name, port));
  const token = docker('exec', name, 'cat', '/var/lib/warmboot/admin.token');
  return { boot: `http://${boot}`, admin: `http://${admin}`, tftp: `tftp://${tftp}`, token };
}

/** @returns its exit code; 137 where Docker had to kill it. */
const stop = async () => {
  await execa('docker', ['stop', name]);
  return Number(docker('inspect', '-f', '{{.State.ExitCode}}', name));
};

/** A part of a disk that waits to be read. */
async function slowDownload(boot: string): Promise<{ call: ClientRequest; answer: IncomingMessage }> {
  const call = get(`${boot}/boot/disks/two-slots.img?a=one`, { headers: { range: `bytes=0-${LONG - 1}` } });
  const [answer] = (await once(call, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(206);
  answer.pause();
  return { call, answer };
}

test('it is ready, serves all that machines boot from, and is not root', async () => {
  const { boot, admin, tftp, token } = await serve(400);
  const ready = JSON.parse(
    docker('logs', name)
      .split('\n')
      .find((line) => line.includes('"ready"')) ?? '',
  );
  expect(ready).toMatchObject({ tftpPort: 69, bootPort: 8080, adminUrl: 'http://127.0.0.1:8081' });
  expect((await ask(admin, '/readyz')).status).toBe(200);
  expect(docker('exec', name, 'id', '-u')).toBe('969');
  await expect.poll(() => docker('inspect', '-f', '{{.State.Health.Status}}', name)).toBe('healthy');

  // By TFTP behind Docker's NAT: a text of ours, and a boot program of the package ipxe.
  const fetched = async (file: string) =>
    (await execa('curl', ['-sS', '-m', '200', `${tftp}/${file}`], { encoding: 'buffer' })).stdout;
  expect(Buffer.from(await fetched('boot.ipxe')).toString()).toMatch(/^#!ipxe/);
  expect((await fetched('undionly.kpxe')).length).toBeGreaterThan(50_000);

  const mac = newMac();
  const headers = { authorization: `Bearer ${token}` };
  const enrolled = await ask(admin, '/api/v1/hosts', { headers, body: { macs: [mac], image: 'one' } });
  expect(enrolled.status).toBe(201);
  const script = await ask(boot, `/boot/script?mac=${mac}`);
  expect(script.text).toMatch(/^#!ipxe/);
  expect((await ask(boot, `/boot/images/${image.digest}/raw`)).body).toEqual(image.files.raw);
  // The commands are in it too.
  expect(docker('exec', name, 'warmboot', 'hosts')).toContain(mac);
});

test('told to stop it lets a download end; what it knew is there in the next container', async () => {
  const { boot, admin, token } = await again(400);
  const mac = newMac();
  const headers = { authorization: `Bearer ${token}` };
  await ask(admin, '/api/v1/hosts', { headers, body: { macs: [mac] } });
  const { answer } = await slowDownload(boot);
  const stopped = stop();
  await expect.poll(async () => (await ask(admin, '/readyz')).status).toBe(503);
  expect(() => docker('exec', name, 'node', 'packaging/healthy.mjs')).toThrow();
  let bytes = 0;
  for await (const part of answer) bytes += (part as Buffer).length;
  expect(bytes).toBe(LONG);
  expect(await stopped).toBe(0);

  const next = await again(400);
  expect(next.token).toBe(token);
  expect((await ask(next.admin, `/api/v1/hosts/${mac}`, { headers })).status).toBe(200);
});

test('a download that does not end is cut when its time is over, before Docker kills the server', async () => {
  const { boot } = await again(1);
  const { answer } = await slowDownload(boot);
  expect(await stop()).toBe(0);
  // What lay in buffers on the way, and then the cut.
  await expect(answer.toArray()).rejects.toThrow();
});

/** Another container on the same data. */
async function again(stopTimeout: number): Promise<Served> {
  docker('rm', '-f', name);
  return serve(stopTimeout);
}
