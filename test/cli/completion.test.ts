import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startProgram } from '../../lab/child.ts';
import { adminServer } from './admin-server.ts';
import { host, MAC } from './records.ts';
import { run, TOKEN } from './run.ts';

const ROOT = join(import.meta.dirname, '../..');

const image = {
  digest: `sha256:${'a'.repeat(64)}`,
  kind: 'os',
  tags: ['debian-13:latest', 'debian-13:next'],
  os: 'Debian 13',
  kernel: '6.12',
  filesystemBytes: 1,
  dataBytes: 1,
  chunks: 1,
  damaged: false,
  createdAt: 1,
};
const routes = {
  'GET /api/v1/hosts': () => ({ hosts: [host()], next: null }),
  'GET /api/v1/images': () => ({ images: [image] }),
};

/** @param line before the cursor, words with one space between them */
async function offered(line: string, env: Record<string, string> = {}): Promise<string[]> {
  const { code, stdout, stderr } = await run(['__complete', ...line.split(' ')], { env });
  expect([code, stderr]).toEqual([0, '']);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((reply) => reply.split('\t')[0] ?? '');
}

test('commands, their options and those of all commands', async () => {
  expect(await offered('hos')).toEqual(['hosts', 'host']);
  expect(await offered('image ex')).toEqual(['export']);
  expect(await offered('events --fo')).toEqual(['--follow']);
  expect(await offered('events --ser')).toEqual(['--server']);
  expect(await offered('--server http://x hos')).toEqual(['hosts', 'host']);
  expect(await offered('completion ')).toEqual(['bash', 'zsh', 'fish']);
  expect(await offered('nothing of ours ')).toEqual([]);
});

test('nothing that is hidden is offered, and nothing after its place', async () => {
  expect(await offered('__')).toEqual([]);
  expect(await offered('completion bash ')).toEqual([]);
  expect(await offered('events -- --fo')).toEqual([]);
});

test('files are the shell’s own business', async () => {
  expect(await offered('--data ./x')).toEqual([':files']);
  expect(await offered('image import ')).toEqual([':files']);
});

test('MACs and images come from the server, also as values of options', async () => {
  const { url } = await adminServer(routes);
  const env = { WARMBOOT_SERVER: url };
  // A server that does not answer at once is not waited for: who types asks again.
  const again = (line: string, more: Record<string, string> = env) => expect.poll(() => offered(line, more));
  await again('host ').toContain(MAC);
  expect(await offered('host ff', env)).toEqual([]);
  await again(`assign ${MAC} deb`).toEqual(['debian-13', 'debian-13:next']);
  await again('events --host 52').toEqual([MAC]);
  await again(`enrol ${MAC} --image=debian-13:`).toEqual(['--image=debian-13:next']);
  await again(`--server ${url} host 52`, {}).toEqual([MAC]);
});

test('a server that is silent, away or refuses: nothing is offered, in bounded time, and nothing is started', async () => {
  const silent = await adminServer({ 'GET /api/v1/hosts': () => new Promise(() => {}) });
  const refuses = await adminServer();
  const gone = await adminServer();
  await gone.close();
  for (const { url } of [silent, refuses, gone])
    expect(await offered('host 5', { WARMBOOT_SERVER: url })).toEqual([]);
  // `startServer` of the test world throws; that nothing is said shows that it was not asked.
  expect(await offered('host 5')).toEqual([]);
});

test('what a server says cannot make the terminal obey', async () => {
  const { url } = await adminServer({
    'GET /api/v1/images': () => ({ images: [{ ...image, tags: ['a\x1b[2J\nb:x'], os: 'c\td' }] }),
  });
  const asked = () => run(['__complete', 'assign', MAC, ''], { env: { WARMBOOT_SERVER: url } });
  await expect.poll(async () => (await asked()).stdout).toBe('a b:x\tc d\n');
});

test('an interactive bash completes commands and MACs with their colons', async () => {
  const { url } = await adminServer(routes);
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-completion-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'warmboot');
  writeFileSync(
    program,
    `#!/bin/sh
case $1 in completion | __complete) exec "${process.execPath}" "${ROOT}/server/main.ts" "$@" ;; esac
echo "RAN[$*]"
`,
  );
  chmodSync(program, 0o755);
  const env = {
    PATH: `${folder}:${process.env.PATH}`,
    HOME: folder,
    TERM: 'dumb',
    WARMBOOT_SERVER: url,
    WARMBOOT_TOKEN: TOKEN,
  };
  const shell = startProgram('script', ['-qfec', 'bash --norc --noprofile -i', '/dev/null'], {
    cwd: ROOT,
    env,
  });
  let seen = '';
  shell.stdout.on('data', (part: Buffer) => {
    seen += part;
  });
  shell.stdin.write("bind 'set bell-style none'\nsource <(warmboot completion bash)\necho READY$((1+1))\n");
  await expect.poll(() => seen).toContain('READY2');
  for (const [typed, ran] of [
    ['warmboot ign\tx\n', 'RAN[ignore x]'],
    ['warmboot host 52:54:0\t\n', `RAN[host ${MAC}]`],
    [`warmboot assign ${MAC} debian-13:n\t\n`, `RAN[assign ${MAC} debian-13:next]`],
    ['warmboot events --host 52\t\n', `RAN[events --host ${MAC}]`],
  ] as const) {
    // The same once more where the server was busy, and nothing was offered.
    const typedOnce = async () => {
      const before = seen.length;
      shell.stdin.write(typed);
      await expect.poll(() => seen.slice(before)).toMatch(/RAN\[.*\]/);
      return seen.slice(before);
    };
    await expect.poll(typedOnce).toContain(ran);
  }
  const ended = once(shell, 'exit');
  shell.stdin.end('unset HISTFILE; exit\n');
  await ended;
});
