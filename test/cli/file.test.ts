import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import { adminServer } from './admin-server.ts';
import { MAC } from './records.ts';
import { run } from './run.ts';

let server: TestServer;
const dir = mkdtempSync(join(tmpdir(), 'warmboot-cli-file-'));
beforeAll(async () => {
  server = await runningServer();
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const cli = (...argv: string[]) =>
  run(['--server', server.running.adminUrl, '--token', server.token, ...argv]);
const enrolled = async () => (await new Machine(server).enrol()).mac;
const content = Buffer.from([0, 10, 255, 13, 65]);
const local = (name: string, bytes: Buffer | string = content) => {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
};

test('put, list, get and rm', async () => {
  const mac = await enrolled();
  expect((await cli('file', 'list', mac)).stderr).toBe(`${mac} has no files of its own.\n`);
  const put = await cli(
    'file',
    'put',
    mac,
    '/etc/site.conf',
    local('site.conf'),
    '--mode',
    '600',
    '--owner',
    'root:adm',
  );
  expect(put).toEqual({
    code: 0,
    stdout: `${mac} has etc/site.conf (0600, root:adm, 5 bytes) after its next switch or install.\n`,
    stderr: '',
  });
  await cli('file', 'put', mac, 'etc/motd', local('motd', 'hello\n'));
  const list = await cli('file', 'list', mac);
  expect(list.stdout).toMatch(
    /^PATH +MODE +OWNER +BYTES +SHA256\netc\/motd +0644 +root +6 +[0-9a-f]{64}\netc\/site\.conf +0600 +root:adm +5 +[0-9a-f]{64}\n$/,
  );
  const to = join(dir, 'got');
  expect(await cli('file', 'get', mac, '/etc/site.conf', to)).toEqual({ code: 0, stdout: '', stderr: '' });
  expect([readFileSync(to).equals(content), statSync(to).mode & 0o777]).toEqual([true, 0o600]);
  expect((await cli('host', mac)).stdout).toMatch(/files +\d.* as a tar; warmboot file list/);
  const gone = await cli('file', 'rm', mac, 'etc/site.conf');
  expect(gone.stdout).toBe(`${mac} has etc/site.conf no more after its next switch or install.\n`);
  expect(await cli('file', 'rm', mac, 'etc/site.conf')).toMatchObject({
    code: 1,
    stderr: /has no file "etc\/site.conf"/,
  });
});

test('a host whose running slot has other files says so, until it has them', async () => {
  const machine = await (await new Machine(server).enrol()).installed();
  const { mac } = machine;
  const files = async () => /^ *files +(.*)$/m.exec((await cli('host', mac)).stdout)?.[1] ?? '';
  const says = (slotFiles?: string) => {
    const a = { state: 'modified', digest: server.one.digest, files: slotFiles };
    return machine.report({
      kind: 'booted',
      slot: 'a',
      digest: server.one.digest,
      default: 'a',
      slots: { a },
    });
  };
  await cli('file', 'put', mac, 'etc/motd', local('motd', 'hello\n'));
  // An agent of before, of which nobody knows.
  expect(await files()).not.toMatch(/those of before/);
  await says('');
  expect(await files()).toMatch(
    /as a tar; .*; what runs has those of before until the next switch or install/,
  );
  await says((await server.admin(`/api/v1/hosts/${mac}`)).json.files.sha256);
  expect(await files()).not.toMatch(/those of before/);
  await cli('file', 'rm', mac, 'etc/motd');
  expect(await files()).toMatch(/^none; what runs has those of before/);
});

test('--json is what the API answers', async () => {
  const mac = await enrolled();
  const put = JSON.parse(
    (await cli('--json', 'file', 'put', mac, 'etc/motd', local('motd', 'hello\n'))).stdout,
  );
  expect(put).toMatchObject({ path: 'etc/motd', mode: '0644', owner: 'root', bytes: 6 });
  const { files, set } = JSON.parse((await cli('--json', 'file', 'list', mac)).stdout);
  expect([files, set.bytes]).toEqual([[put], 2048]);
  const to = join(dir, 'as-json');
  expect(JSON.parse((await cli('--json', 'file', 'get', mac, 'etc/motd', to)).stdout)).toEqual({
    file: to,
    bytes: 6,
  });
  expect(await cli('--json', 'file', 'get', mac, 'etc/motd')).toMatchObject({ code: 2 });
});

test('where another was faster, nothing is changed', async () => {
  const mac = await enrolled();
  await cli('file', 'put', mac, 'etc/motd', local('motd', 'one'));
  const { revision } = JSON.parse((await cli('--json', 'file', 'list', mac)).stdout);
  const at = ['--revision', String(revision)];
  expect((await cli('file', 'put', mac, 'etc/motd', local('motd', 'two'), ...at)).code).toBe(0);
  const late = await cli('file', 'put', mac, 'etc/motd', local('motd', 'three'), ...at);
  expect(late).toMatchObject({ code: 1, stderr: /was changed meanwhile/ });
  expect((await cli('file', 'rm', mac, 'etc/motd', ...at)).code).toBe(1);
});

test('what cannot be is said in a sentence', async () => {
  const mac = await enrolled();
  const motd = local('motd', 'x');
  for (const path of ['', '/', '//etc/motd', 'etc//motd', '../etc/motd', 'etc/./motd', 'etc/motd/'])
    expect(await cli('file', 'put', mac, path, motd), path).toMatchObject({
      code: 2,
      stderr: /from its root/,
    });
  expect(await cli('file', 'put', mac, 'boot/x', motd)).toMatchObject({
    code: 1,
    stderr: /written by Warmboot alone/,
  });
  expect(await cli('file', 'put', mac, 'etc/a b?c#d', motd)).toMatchObject({
    code: 1,
    stderr: /other characters/,
  });
  expect(await cli('file', 'put', mac, 'etc/motd', motd, '--mode', '4755')).toMatchObject({
    code: 1,
    stderr: /setuid/,
  });
  expect(await cli('file', 'put', mac, 'etc/motd', join(dir, 'none'))).toMatchObject({
    code: 1,
    stderr: /cannot be read/,
  });
  expect(await cli('file', 'put', mac, 'etc/motd', dir)).toMatchObject({ code: 1, stderr: /is a folder/ });
  const large = local('large', Buffer.alloc(262_145));
  expect(await cli('file', 'put', mac, 'etc/motd', large)).toMatchObject({
    code: 1,
    stderr: /into the image/,
  });
  expect(await cli('file', 'put', MAC, 'etc/motd', motd)).toMatchObject({
    code: 1,
    stderr: /No host has the MAC/,
  });
  expect(await cli('file')).toMatchObject({ code: 2 });
});

test('a shell is offered the files that the host has', async () => {
  const mac = await enrolled();
  await cli('file', 'put', mac, 'etc/motd', local('motd', 'x'));
  await cli('file', 'put', mac, 'root/.bashrc', local('bashrc', 'x'));
  // The options that name the server stand before the word that asks.
  const words = (...line: string[]) =>
    run(['__complete', '--server', server.running.adminUrl, '--token', server.token, 'file', ...line]);
  expect((await words('rm', mac, '')).stdout).toBe('etc/motd\t0644 root\nroot/.bashrc\t0644 root\n');
  expect((await words('get', mac, 'ro')).stdout).toBe('root/.bashrc\t0644 root\n');
  expect((await words('get', '52:54:00:ff:ff:ff', '')).stdout).toBe('');
  expect((await words('put', mac, 'etc/motd', '')).stdout).toBe(':files\n');
});

test('no text of others reaches the terminal as a command', async () => {
  const evil = '\x1b[2J\x9b31m\u202e\nroot@server # ';
  const file = { path: evil, mode: evil, owner: evil, bytes: 1, sha256: evil };
  const at = `/api/v1/hosts/${encodeURIComponent(MAC)}/files`;
  const hostile = await adminServer({
    [`GET ${at}`]: () => ({ files: [file], set: null, revision: 1 }),
    [`PUT ${at}/etc/motd`]: () => file,
  });
  for (const argv of [
    ['list', MAC],
    ['put', MAC, 'etc/motd', local('json', '{}')],
  ]) {
    const { code, stdout } = await run(['--server', hostile.url, 'file', ...argv]);
    expect(code).toBe(0);
    for (const command of ['\x1b', '\x9b', '\u202e']) expect(stdout).not.toContain(command);
    expect(stdout.trimEnd().split('\n').length).toBe(argv[0] === 'list' ? 2 : 1);
  }
});
