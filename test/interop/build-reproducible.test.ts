import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeStandIn } from './stand-in.ts';

/** The same Docker image gives the same digest, whoever builds it, where and when. */
const root = mkdtempSync(join(tmpdir(), 'warmboot-same-'));
const checkout = fileURLToPath(new URL('../..', import.meta.url));
afterAll(() => {
  execFileSync('docker', ['rmi', '-f', 'warmboot/test-same'], { stdio: 'ignore' });
  rmSync(root, { recursive: true, force: true });
});

beforeAll(() => {
  // A checkout that everybody may read, as /opt or /srv has it.
  const copy = join(root, 'checkout');
  mkdirSync(copy);
  const parts = ['server', 'migrations', 'package.json', 'tsconfig.json', 'node_modules'];
  execFileSync('cp', ['-rL', ...parts.map((name) => join(checkout, name)), copy]);
  chmodSync(root, 0o755);
  makeStandIn(root);
  symlinkSync(join(root, 'images'), join(copy, 'images'));
});

interface Surroundings {
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Date that the build is told it is. */
  readonly day?: string;
  /** Runs the build as somebody else, who may use Docker. */
  readonly user?: number;
  readonly image: readonly string[];
}

function digestOf({ folder, env = {}, day, user, image }: Surroundings): string {
  const data = join(root, folder);
  const owner = user ?? 0;
  execFileSync('install', ['-d', '-o', String(owner), '-g', String(owner), data]);
  const docker = statSync('/var/run/docker.sock').gid;
  const as = ['--reuid', String(owner), '--regid', String(owner), '--groups', String(docker)];
  const main = join(root, 'checkout', 'server', 'main.ts');
  const clock = day === undefined ? [] : ['faketime', day];
  const build = [...clock, process.execPath, main, 'build', ...image, '--data', join(data, 'data')];
  return execFileSync('setpriv', [...as, ...build], {
    cwd: join(root, 'checkout'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, HOME: data, TMPDIR: data, ...env },
  }).trim();
}

test('time zone, day, locale, user, folder and the order of Docker’s cache leave no trace', () => {
  const first = digestOf({ folder: 'one', image: ['test-os'] });
  const xfs = ['test-os', '--filesystem', 'xfs'];
  const firstXfs = digestOf({ folder: 'one', image: xfs });
  expect(firstXfs).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(firstXfs).not.toBe(first);
  expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
  const elsewhere = {
    folder: 'quite/another/folder with spaces',
    user: 65534,
    day: '2031-02-03 04:05:06',
    env: {
      TZ: 'Asia/Tokyo',
      LANG: 'de_DE.ISO-8859-1',
      LC_ALL: 'tr_TR.UTF-8',
      SOURCE_DATE_EPOCH: '1',
      LD_BIND_NOW: '1',
    },
  };
  expect(digestOf({ ...elsewhere, image: ['test-os'] })).toBe(first);
  expect(digestOf({ ...elsewhere, image: xfs })).toBe(firstXfs);
  // Out of Docker and in again, beside other images: its layers then lie in another order in Docker's store.
  execFileSync('sh', [
    '-c',
    'docker tag warmboot/test-os warmboot/test-same && docker save -o "$1" warmboot/test-same',
    'sh',
    join(root, 'same.tar'),
  ]);
  execFileSync('docker', ['rmi', '-f', 'warmboot/test-same', 'warmboot/test-os'], { stdio: 'ignore' });
  execFileSync('docker', ['load', '-q', '-i', join(root, 'same.tar')], { stdio: 'ignore' });
  const from = ['test-os', '--from', 'warmboot/test-same', '--size', '512MiB', '--append', 'console=tty0'];
  expect(digestOf({ folder: 'three', env: { TZ: 'Pacific/Chatham' }, image: from })).toBe(first);
});
