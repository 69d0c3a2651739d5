import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { run } from './cli/run.ts';

/**
 * The launcher in a checkout of its own, on a "machine" whose tools are all played: they write down how they were called, and
 * a file in `has/` says what the machine has already.
 */
let root: string;
let bin: string;

const LAUNCHER = fileURLToPath(new URL('../warmboot', import.meta.url));
const ALWAYS_THERE = [
  'sh',
  'readlink',
  'id',
  'sed',
  'tail',
  'cat',
  'tr',
  'grep',
  'mkdir',
  'flock',
  'sha256sum',
  'timeout',
  'sleep',
  'setsid',
  'mountpoint',
  'mount',
  'touch',
  'rm',
  'head',
  'env',
  'find',
  'mv',
  'ln',
];

/** Where this machine has them. */
let tools: string[];
beforeAll(async () => {
  tools = (await execa('which', ALWAYS_THERE)).stdout.split('\n');
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'warmboot launcher '));
  bin = join(root, 'bin');
  await mkdir(bin);
  await mkdir(join(root, 'has'));
  await mkdir(join(root, 'checkout'));
  await mkdir(join(root, 'dpkg'));
  await writeFile(join(root, 'dpkg/status'), '');
  await mkdir(join(root, 'checkout/server'));
  await mkdir(join(root, 'checkout/packaging'));
  await writeFile(join(root, 'checkout/server/main.ts'), '');
  await writeFile(join(root, 'checkout/packaging/bundle.ts'), '');
  await writeFile(join(root, 'checkout/package.json'), '{}');
  for (const program of ['lab/demo.ts', 'lab/try.ts', 'test/run.ts']) {
    await mkdir(dirname(join(root, 'checkout', program)), { recursive: true });
    await writeFile(join(root, 'checkout', program), '');
  }
  await copyFile(LAUNCHER, join(root, 'checkout/warmboot'));
  await chmod(join(root, 'checkout/warmboot'), 0o755);
  await writeFile(
    join(root, 'checkout/package-lock.json'),
    '{"packages":{"":{},"node_modules/hono":{"version":"4.0.0"}}}',
  );
  for (const file of tools) await symlink(file, join(bin, basename(file)));
  await play('id', 'echo 0');
  await play('node', playedNode('v22.19.0'));
  await play('npm', 'note "npm $*"; mkdir -p node_modules/hono');
  await play('dpkg-query', 'for p in "$@"; do if [ -e "$has/$p" ]; then echo "ii  $p"; fi; done');
  await play('apt-cache', 'if [ -e "$has/not-in-release-$3" ]; then exit 100; fi; echo "Version: 1"');
  await play(
    'apt-get',
    `
    note "apt-get $1"
    case $1 in install) for p in "$@"; do case $p in -*|*=*|install) ;; *) note "package $p"; touch "$has/$p" ;; esac; done ;; esac`,
  );
  await play('docker', 'if [ -e "$has/engine" ]; then echo 26.1; else exit 1; fi');
  await play('dockerd', 'note dockerd; touch "$has/engine"');
  await play('systemctl', 'note "systemctl $*"; touch "$has/engine"');
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Node, which answers by its arguments and knows how a bundle is made. */
function playedNode(version: string): string {
  const dist = `'${root}/checkout/dist'`;
  return `
    case $1 in
      --version) echo ${version} ;;
      -e) exec ${process.execPath} "$@" ;;
      */packaging/bundle.ts)
        note bundle
        if [ -e "$has/broken-source" ]; then echo "main.ts:1:1: ERROR: Unexpected end" >&2; exit 1; fi
        mkdir -p ${dist}/1 && touch ${dist}/1/built ${dist}/1/start.js && ln -sfn 1 ${dist}/current ;;
      *) echo "node $*" ;;
    esac`;
}

/** A tool of the played machine: a shell script. */
async function play(name: string, script: string): Promise<void> {
  const head = `#!/bin/sh\nhas='${root}/has'\nnote() { echo "$*" >>'${root}/calls'; }\n`;
  await rm(join(bin, name), { force: true });
  await writeFile(join(bin, name), `${head}${script}\n`, { mode: 0o755 });
}

function launch(args: string[], env: Record<string, string> = {}, file = join(root, 'checkout/warmboot')) {
  return execa(file, args, {
    env: { PATH: bin, DPKG_ADMINDIR: join(root, 'dpkg'), ...env },
    extendEnv: false,
    reject: false,
    cwd: '/',
  });
}

async function calls(): Promise<string[]> {
  const text = await readFile(join(root, 'calls'), 'utf8').catch(() => '');
  await rm(join(root, 'calls'), { force: true });
  return text.trim().split('\n').filter(Boolean);
}

test('a bare machine: what the command lacks is installed, said on stderr first; then the command runs', async () => {
  const { stdout, stderr, exitCode } = await launch(['build', 'debian-12']);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^node \/.*\/dist\/current\/start\.js build debian-12$/);
  expect(stderr).toMatch(/installing Debian packages: .*mmdebstrap/);
  expect(stderr).toMatch(/installing npm packages/);
  expect(stderr).toMatch(/starting the Docker engine/);
  const called = await calls();
  expect(called).toEqual(
    expect.arrayContaining([
      'bundle',
      'apt-get update',
      'package mmdebstrap',
      'package g++',
      'npm install --no-save --no-fund --no-audit',
    ]),
  );
  expect(called.filter((call) => call === 'apt-get update')).toHaveLength(1);
});

test('the second run finds nothing to do and says nothing', async () => {
  await launch(['demo']);
  await calls();
  const { stderr, exitCode } = await launch(['demo']);
  expect({ stderr, exitCode, calls: await calls() }).toEqual({ stderr: '', exitCode: 0, calls: [] });
});

test('serve sets up neither Docker nor QEMU, and goes on without the boot programs it cannot have', async () => {
  await play('apt-get', 'note "apt-get $1"; exit 100');
  await mkdir(join(root, 'checkout/node_modules'));
  await npmLock('4.0.0');
  const { stdout, stderr, exitCode } = await launch(['serve']);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('dist/current/start.js serve');
  expect(stderr).toMatch(/going on without the package ipxe/);
  expect((await calls()).join()).not.toMatch(/docker|qemu/);
});

test('what is no command gets no set-up of its own: the program says so', async () => {
  const { stdout } = await launch(['docter'], { WARMBOOT_SETUP: 'print' });
  expect(stdout).not.toMatch(/^(package|docker|wish)/m);
  expect(stdout).toContain('run dist/current/start.js docter');
});

test('every command is known, so that none of its arguments is taken for one: `profile set test`', async () => {
  const { stdout } = await run(['--help']);
  const listed = stdout.split('Commands:')[1]?.split('\n\n')[0] ?? '';
  const commands = [...listed.matchAll(/^ {2}([a-z]+) /gm)].map(([, command]) => command ?? '');
  expect(commands.length).toBeGreaterThan(20);
  const launched = await Promise.all(
    commands.map((command) => launch([command, 'test'], { WARMBOOT_SETUP: 'print' })),
  );
  for (const [at, { stdout: said }] of launched.entries())
    expect(said).toContain(`run dist/current/start.js ${commands[at]} test`);
});

test('doctor installs nothing that it could then not find missing', async () => {
  const { stdout } = await launch(['doctor'], { WARMBOOT_SETUP: 'print' });
  expect(stdout).not.toMatch(/^(package|docker|wish)/m);
  expect(stdout).toContain('run dist/current/start.js doctor');
});

test('demo and test are programs of their own and do not see their name; options may stand before it', async () => {
  await launch(['demo']);
  expect((await launch(['--keep', 'demo', '--disk', 'demo x'])).stdout).toMatch(
    /lab\/demo\.ts --keep --disk demo x$/,
  );
  expect((await launch(['test', 'unit'], { WARMBOOT_SETUP: 'skip' })).stdout).toMatch(/test\/run\.ts unit$/);
});

test('works from any folder and through a symbolic link, with blanks in the path', async () => {
  await launch(['hosts']);
  await symlink(join(root, 'checkout/warmboot'), join(bin, 'wb'));
  const { stdout } = await launch(['hosts'], {}, join(bin, 'wb'));
  expect(stdout).toMatch(/^node \/.*\/warmboot launcher .*\/checkout\/dist\/current\/start\.js hosts$/);
});

test('print says what would be done and does nothing', async () => {
  const { stdout } = await launch(['demo'], { WARMBOOT_SETUP: 'print' });
  const lines = stdout.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining(['npm', 'package qemu-system-x86', 'docker', 'run lab/demo.ts ']),
  );
  expect(await calls()).toEqual([]);
});

test('try needs a virtual machine and no Docker', async () => {
  const { stdout } = await launch(['try', 'debian-13', '--uefi'], { WARMBOOT_SETUP: 'print' });
  const lines = stdout.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining(['package qemu-system-x86', 'package ovmf', 'run lab/try.ts debian-13 --uefi']),
  );
  expect(lines).not.toContain('docker');
});

test('unit tests need neither Docker nor a virtual machine', async () => {
  const { stdout } = await launch(['test', 'unit'], { WARMBOOT_SETUP: 'print' });
  expect(stdout).toContain('package shellcheck');
  expect(stdout).not.toMatch(/docker|qemu/);
});

test('a package has another name in an older release', async () => {
  await writeFile(join(root, 'has/not-in-release-docker-buildx'), '');
  await launch(['test', 'interop']);
  const called = await calls();
  expect(called).toContain('package docker-buildx-plugin');
  expect(called).not.toContain('package docker-buildx');
});

test('a package that the release does not have: one sentence that names it', async () => {
  await writeFile(join(root, 'has/not-in-release-mmdebstrap'), '');
  const { stderr, exitCode } = await launch(['build', 'x']);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/this release has no package mmdebstrap/);
});

test('not root and something is missing: one sentence that says what to run', async () => {
  await play('id', 'echo 1000');
  const { stdout, stderr, exitCode } = await launch(['build', 'debian-12']);
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
  expect(stderr).toMatch(/Run this command once as root, for example: sudo .*warmboot build debian-12$/);
  expect((await calls()).join()).not.toMatch(/apt-get/);
});

test('a mirror that cannot be reached is named as what it is', async () => {
  await play('apt-get', 'echo "Err:1 Temporary failure resolving"; exit 100');
  const { stderr, exitCode } = await launch(['build', 'x']);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/package mirror cannot be reached/);
});

test('an npm registry that cannot be reached is named as what it is', async () => {
  await play('npm', 'echo "npm error code ENOTFOUND"; exit 1');
  const { stderr, exitCode } = await launch(['hosts']);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/npm's registry cannot be reached/);
});

test('a Docker engine elsewhere is used, and never started for its owner', async () => {
  await launch(['build', 'x']);
  await rm(join(root, 'has/engine'));
  await calls();
  const { stderr, exitCode } = await launch(['build', 'x'], { DOCKER_HOST: 'tcp://elsewhere:2375' });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/DOCKER_HOST=tcp:\/\/elsewhere:2375 does not answer/);
  expect(await calls()).toEqual([]);
});

test('a Node that is too old is replaced from npm, in the cache and not on the system', async () => {
  await play('newer-node', playedNode('v24.9.0').replace('echo "node $*"', 'echo "node 24 $*"'));
  await rename(join(bin, 'newer-node'), join(root, 'has/newer-node'));
  await symlink('/bin/cp', join(bin, 'cp'));
  await play('node', 'echo v22.18.0');
  await play(
    'npm',
    `
    note "npm $*"
    case $* in *node@24*) mkdir -p node_modules/.bin; cp "$has/newer-node" node_modules/.bin/node; ${(await execa('which', ['chmod'])).stdout} 755 node_modules/.bin/node ;; esac
    mkdir -p node_modules`,
  );
  const { stdout, stderr, exitCode } = await launch(['hosts']);
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/Node v22\.18\.0 is too old/);
  expect(stdout).toMatch(/^node 24 /);
  await calls();
  expect((await launch(['hosts'])).stderr).toBe('');
  expect(await calls()).toEqual([]);
});

test('npm runs again when the lock file or the Node version changed, and not when only its date did', async () => {
  await launch(['hosts']);
  await calls();
  await utimes(join(root, 'checkout/package-lock.json'), new Date(), new Date());
  await launch(['hosts']);
  expect(await calls()).toEqual([]);
  await writeFile(
    join(root, 'checkout/package-lock.json'),
    '{"packages":{"":{},"node_modules/hono":{"version":"4.0.1"}}}',
  );
  await launch(['hosts']);
  expect(await calls()).toEqual(['npm install --no-save --no-fund --no-audit', 'bundle']);
  await play('node', playedNode('v24.0.0'));
  await launch(['hosts']);
  expect(await calls()).toEqual(['npm install --no-save --no-fund --no-audit', 'bundle']);
});

test('packages that somebody installed with npm by hand are taken as they are, if they fit', async () => {
  await npmLock('4.0.0');
  await launch(['hosts']);
  expect(await calls()).toEqual(['bundle']);
});

/** What is there is stamped by the second start, and trusted by the third. */
async function launchedTwice(args: string[]): Promise<void> {
  await launch(args);
  await launch(args);
  await calls();
}

test('a warm start asks neither dpkg nor Node nor npm', async () => {
  for (const tool of ['node', 'npm', 'dpkg-query', 'sha256sum'])
    await rename(join(bin, tool), join(root, 'has', tool));
  for (const tool of ['node', 'npm', 'dpkg-query', 'sha256sum'])
    await play(tool, `note "${tool} $1"; exec "$has/${tool}" "$@"`);
  await launchedTwice(['hosts']);
  await launch(['hosts']);
  expect(await calls()).toEqual([expect.stringMatching(/^node .*\/start\.js$/)]);
});

test('a source that is newer than the bundle: it is made anew, and said', async () => {
  await launchedTwice(['hosts']);
  await writeFile(join(root, 'checkout/server/main.ts'), '// changed');
  const { stderr, stdout } = await launch(['hosts']);
  expect(await calls()).toEqual(['bundle']);
  expect(stderr).toMatch(/bundling the sources/);
  expect(stdout).toMatch(/start\.js hosts$/);
  await launch(['hosts']);
  await rm(join(root, 'checkout/server/main.ts'));
  await launch(['hosts']);
  expect(await calls(), 'a source is removed').toEqual(['bundle']);
});

test('a source with an old date, as an archive brings it, makes the bundle anew', async () => {
  await launchedTwice(['hosts']);
  const source = join(root, 'checkout/server/main.ts');
  await writeFile(source, '// from an archive');
  await utimes(source, new Date(0), new Date(0));
  await launch(['hosts']);
  expect(await calls()).toEqual(['bundle']);
});

test('sources that cannot be bundled: where the error is, and nothing runs', async () => {
  await launchedTwice(['hosts']);
  await writeFile(join(root, 'has/broken-source'), '');
  await writeFile(join(root, 'checkout/server/main.ts'), 'if (');
  const { stderr, stdout, exitCode } = await launch(['hosts']);
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 });
  expect(stderr).toMatch(/main\.ts:1:1: ERROR[\s\S]*the bundle could not be made/);
});

test('a Debian package that was removed is noticed', async () => {
  await launchedTwice(['build', 'x']);
  await rm(join(root, 'has/mmdebstrap'));
  await writeFile(join(root, 'dpkg/status'), 'removed');
  await launch(['build', 'x']);
  expect(await calls()).toContain('package mmdebstrap');
});

test('npm packages that were removed are noticed', async () => {
  await launchedTwice(['hosts']);
  await rm(join(root, 'checkout/node_modules'), { recursive: true });
  await launch(['hosts']);
  expect(await calls()).toContain('npm install --no-save --no-fund --no-audit');
});

test.each([
  [['unit'], /package busybox/, /docker|qemu|chromium|tftp/],
  [['test/host/trust.test.ts'], /package faketime/, /docker|qemu|chromium|tftp/],
  [['test/interop/tftp.test.ts'], /package tftp-hpa/, /qemu-efi-aarch64|shellcheck/],
  [['interop', '-t', 'a file'], /package chromium/, /qemu-efi-aarch64|shellcheck/],
  [['e2e'], /package qemu-efi-aarch64/, /chromium|tftp-hpa|shellcheck/],
  [['test/e2e/main-job.test.ts', 'test/main.test.ts'], /qemu-efi-aarch64[\s\S]*shellcheck/, /chromium/],
  [
    ['--changed', 'HEAD'],
    /shellcheck[\s\S]*chromium[\s\S]*qemu-efi-aarch64/,
    /^run (?!test\/run\.ts --changed HEAD$)/m,
  ],
])('test %j installs what its parts need, and no more', async (args, needs, needsNot) => {
  const { stdout } = await launch(['test', ...args], { WARMBOOT_SETUP: 'print' });
  expect(stdout).toMatch(needs);
  expect(stdout).not.toMatch(needsNot);
});

test('two launchers at once install once', async () => {
  await play('npm', 'note "npm $*"; sleep 1; mkdir -p node_modules');
  const [one, two] = await Promise.all([launch(['hosts']), launch(['hosts'])]);
  expect([one.exitCode, two.exitCode]).toEqual([0, 0]);
  expect((await calls()).filter((call) => call.startsWith('npm install'))).toHaveLength(1);
  expect(one.stderr + two.stderr).toMatch(/another warmboot is doing the set-up/);
});

/** npm's own record of what it installed. */
async function npmLock(version: string): Promise<void> {
  await mkdir(join(root, 'checkout/node_modules'), { recursive: true });
  await writeFile(
    join(root, 'checkout/node_modules/.package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/hono': { version } } }),
  );
}
