import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Running, start } from '../../server/app.ts';
import { runsAll } from '../all.ts';
import { type Ran, run } from '../cli/run.ts';
import { LABEL } from '../fixtures/container-label.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';
import { AGENT, BOOTABLE, standInInitrd } from './stand-in.ts';

/** The command line, a server and Docker, as they are. Each image is named by this file alone. */
const root = mkdtempSync(join(tmpdir(), 'warmboot-options-'));
const dataDir = join(root, 'data');
const imagesDir = join(root, 'images');
const any = { host: '127.0.0.1', port: 0 };
let running: Running;
let contexts = 0;

const begin = () =>
  start(
    {
      dataDir,
      imagesDir,
      migrationsDir: MIGRATIONS,
      maxContextBytes: 10_000_000,
      adminListen: any,
      boot: null,
    },
    pino({ level: 'silent' }),
  );
beforeAll(async () => {
  mkdirSync(join(imagesDir, 'disks'), { recursive: true });
  running = await begin();
});
afterAll(async () => {
  await running.close();
  rmSync(root, { recursive: true });
});

function folder(files: Readonly<Record<string, string>>, at = join(root, `context-${++contexts}`)): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(at, name)), { recursive: true });
    writeFileSync(join(at, name), text);
  }
  return at;
}

function build(...argv: string[]): Promise<Ran> {
  const token = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim();
  return run(['build', ...argv, '--server', running.adminUrl, '--token', token], {
    env: { FROM_ENV: 'of-the-env' },
  });
}

/** What a finished tool image has in a file, read without running anything in it. */
function inImage(name: string, path: string): string {
  const container = execFileSync('docker', ['create', ...LABEL, `warmboot/${name}`, 'x'], {
    encoding: 'utf8',
  }).trim();
  try {
    const tar = execFileSync('docker', ['cp', `${container}:${path}`, '-']);
    return execFileSync('tar', ['-xO'], { input: tar, encoding: 'utf8' });
  } finally {
    execFileSync('docker', ['rm', container]);
  }
}

const TOOL = '{"kind":"tool"}';
const secret = `hush-${createHash('sha256').update(root).digest('hex')}`;

// The time is in the step, because another secret alone would not make Docker run it again.
test('context, file, target, build arguments, secrets, .dockerignore: all at once', async () => {
  const context = folder({
    'deploy/web.Dockerfile': `FROM debian:trixie AS base
ARG WHO=nobody
ARG FROM_ENV
RUN --mount=type=secret,id=x,required=true : ${Date.now()}; sha256sum < /run/secrets/x > /sum \\
 && echo "it is $(cat /run/secrets/x)" && printf "$(cat /run/secrets/x) without line end" && echo "$WHO $FROM_ENV" > /who
COPY . /c
RUN find /c | sort > /list
FROM base AS never
RUN exit 9
`,
    'deploy/image.json': TOOL,
    '.dockerignore': '**/*.log\nnode_modules\ndeploy\n!keep.log',
    'a.log': '',
    'keep.log': '',
    'sub/b.log': '',
    'sub/b': '',
    'node_modules/x/y': '',
  });
  const file = join(root, 'secret');
  writeFileSync(file, secret);
  const { code, stdout, stderr } = await build(
    ...[
      'opt-all',
      '--context',
      context,
      '--file',
      join(context, 'deploy/web.Dockerfile'),
      '--target',
      'base',
    ],
    ...['--build-arg', 'WHO=me', '--build-arg', 'FROM_ENV', '--secret', `id=x,src=${file}`],
  );
  expect([code, stdout, stderr.split('\n').at(-2)]).toEqual([
    0,
    '',
    'opt-all is built, for other Dockerfiles to copy from; hosts cannot run it.',
  ]);
  expect(inImage('opt-all', '/who')).toBe('me of-the-env\n');
  expect(inImage('opt-all', '/list').trim().split('\n')).toEqual([
    '/c',
    '/c/.dockerignore',
    '/c/keep.log',
    '/c/sub',
    '/c/sub/b',
  ]);
  // The step had the secret, and printed it; it is nowhere else.
  expect(inImage('opt-all', '/sum').split(' ')[0]).toBe(createHash('sha256').update(secret).digest('hex'));
  expect(stderr).toContain('docker: it is ***\n');
  expect(stderr).toContain('docker: *** without line end\n');
  expect(stderr).not.toContain(secret);
  const saved = execFileSync('docker', ['save', 'warmboot/opt-all'], { maxBuffer: 1 << 30 });
  const history = execFileSync('docker', ['history', '--no-trunc', 'warmboot/opt-all'], { encoding: 'utf8' });
  expect([saved.includes(secret), history.includes(secret)]).toEqual([false, false]);
  for (const text of [secret, Buffer.from(secret).toString('base64')])
    expect(
      execFileSync('sh', ['-c', 'grep -rla "$0" "$1" || true', text, dataDir], { encoding: 'utf8' }),
    ).toBe('');
});

test('the log of a build is there after a restart, with its numbers', async () => {
  const headers = { authorization: `Bearer ${readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()}` };
  const logOf = async () => {
    const { builds } = (await (await fetch(`${running.adminUrl}/api/v1/builds`, { headers })).json()) as {
      builds: { id: string; name: string }[];
    };
    const id = builds.find(({ name }) => name === 'opt-all')?.id;
    return (await fetch(`${running.adminUrl}/api/v1/builds/${id}/log`, { headers })).text();
  };
  const before = await logOf();
  await running.close();
  running = await begin();
  const after = await logOf();
  expect(after).toBe(before);
  expect(after).toContain('"stepsTotal":4');
  expect(after).toMatch(/^id: 1\n/m);
  expect(after).toMatch(/event: end\ndata: .*"status":"succeeded"/);
});

test('a Dockerfile from outside the context', async () => {
  const context = folder({ a: 'of the context' });
  const dockerfile = 'FROM debian:trixie\nCOPY . /c\nRUN cp /c/a /a && ls -A /c > /list\n';
  const elsewhere = folder({ Dockerfile: dockerfile, 'image.json': TOOL });
  const { code } = await build('opt-outside', '--context', context, '--file', join(elsewhere, 'Dockerfile'));
  expect([code, inImage('opt-outside', '/a'), inImage('opt-outside', '/list')]).toEqual([
    0,
    'of the context',
    'a\n',
  ]);
});

test('a folder of the server: its .dockerignore, arguments and secrets', async () => {
  const dockerfile = `FROM debian:trixie
ARG WHO
RUN --mount=type=secret,id=x cat /run/secrets/x | wc -c > /n && echo $WHO > /who
COPY . /c
RUN ls /c > /list
`;
  folder(
    { Dockerfile: dockerfile, 'image.json': TOOL, '.dockerignore': 'not-this', 'not-this': '', this: '' },
    join(imagesDir, 'opt-folder'),
  );
  const { code, stderr } = await build(
    'opt-folder',
    '--build-arg',
    'WHO=you',
    '--secret',
    'id=x,env=FROM_ENV',
  );
  expect([code, stderr]).toEqual([0, expect.stringContaining('opt-folder is built')]);
  expect(inImage('opt-folder', '/n').trim()).toBe('10');
  expect(inImage('opt-folder', '/who')).toBe('you\n');
  expect(inImage('opt-folder', '/list')).toBe('Dockerfile\nimage.json\nthis\n');
});

test.each<[string, Record<string, string>, string[], string]>([
  [
    'a stage that is not there',
    { Dockerfile: 'FROM scratch AS a\nCOPY . /\n', 'image.json': TOOL },
    ['--target', 'nope'],
    'target stage "nope" could not be found',
  ],
  [
    'a secret that was not given',
    {
      Dockerfile: 'FROM debian:trixie\nRUN --mount=type=secret,id=y,required=true true\n',
      'image.json': TOOL,
    },
    [],
    'asks for the secret "y", which was not given. Add --secret id=y,src=FILE',
  ],
  [
    'a step that fails',
    { Dockerfile: 'FROM debian:trixie\nRUN echo about to fail; exit 7\n', 'image.json': TOOL },
    [],
    'failed at [2/2] RUN echo about to fail; exit 7: ended with exit code 7.\n  | about to fail\n',
  ],
  [
    'a Dockerfile that is none',
    { Dockerfile: 'HELLO\n', 'image.json': TOOL },
    [],
    'unknown instruction: HELLO',
  ],
  [
    'an image.json with a fault',
    { Dockerfile: 'FROM scratch\n', 'image.json': '{"kind":"disk"}' },
    [],
    'image.json of opt-refused is not valid',
  ],
  [
    'a size for a tool',
    { Dockerfile: 'FROM scratch\n', 'image.json': TOOL },
    ['--size', '4GiB'],
    'no use for a filesystem, a size or the agent',
  ],
  [
    'a context that is too large',
    { Dockerfile: 'FROM scratch\n', large: 'x'.repeat(11_000_000) },
    [],
    'The context is larger than the 9 MiB that this server takes',
  ],
])('%s', async (_, files, flags, sentence) => {
  const { code, stdout, stderr } = await build('opt-refused', '--context', folder(files), ...flags);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain(sentence);
});

test('an image that Docker has: refused only for what it lacks, and the agent is not among it', async () => {
  folder({ Dockerfile: AGENT, 'image.json': TOOL }, join(imagesDir, 'agent'));
  const bare = await build('opt-from', '--from', 'debian:trixie');
  expect(bare.stderr).toContain('agent: /usr/lib/warmboot/agent is missing');
  expect(bare.stderr).toContain('The builder puts the agent in itself with --add-agent');
  const { code, stderr } = await build('opt-from', '--from', 'debian:trixie', '--add-agent');
  expect(code).toBe(1);
  expect(stderr).toContain('there is no kernel');
  expect(stderr).not.toMatch(/^ +(agent|agent-unit|trial-guard): /m);
});

test('an image that is nowhere', async () => {
  const { stderr } = await build('opt-from', '--from', 'localhost:1/nowhere/image');
  expect(stderr).toContain('is not in Docker and could not be pulled');
});

test('without image.json, with flags and the agent: an image that hosts can run', async () => {
  folder({ Dockerfile: AGENT, 'image.json': TOOL }, join(imagesDir, 'agent'));
  const context = folder({ Dockerfile: `FROM debian:trixie\n${BOOTABLE}` });
  writeFileSync(join(context, 'initrd.img'), standInInitrd());
  const flags = ['--size', '512MiB', '--append', 'console=tty1', '--add-agent'];
  const first = await build('opt-os', '--context', context, ...flags);
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('adding it as the last layer')]);
  const digest = first.stdout.trim();
  const index = JSON.parse(readFileSync(join(dataDir, 'images', digest.slice(7), 'index.json'), 'utf8'));
  expect(index).toMatchObject({
    append: 'console=tty1',
    filesystem: { type: 'ext4', bytes: 512 * 1024 ** 2 },
  });
  // The same image by its name in Docker is the same image.
  const again = await build('opt-os', '--from', 'warmboot/opt-os', ...flags);
  expect(again.stdout.trim()).toBe(digest);
});

test('what docker build leaves out, Warmboot leaves out', async () => {
  const names = [
    'a',
    'a.md',
    'README.md',
    'x/a.md',
    'x/y/a.md',
    'x/keep/z',
    'x/tmp1',
    'node_modules/n',
    'x/node_modules/n',
    '[odd]',
  ];
  const files = Object.fromEntries(names.map((name) => [name, '']));
  const dockerfile = 'FROM debian:trixie\nCOPY . /c\nRUN cd /c && find . -type f | sort > /list\n';
  const more = ['*.md\n!README.md', 'x\n!x/keep', '*\n!**/n\nnode_modules', '*\n!x/y', 'x/**\n!x/keep/**'];
  for (const ignore of [
    '**/*.md\n!x/**/a.md',
    '**/node_modules\n*/tmp?\n\\[odd]\nx/keep\n!x/keep/z',
    ...(runsAll() ? more : []),
  ]) {
    const context = folder({ ...files, Dockerfile: dockerfile, 'image.json': TOOL, '.dockerignore': ignore });
    const { code } = await build('opt-ignore', '--context', context);
    const ours = inImage('opt-ignore', '/list');
    // The classic builder has rules of its own for what lies below an ignored folder.
    const buildx = ['buildx', 'build', '-q', '--load', '-t', 'warmboot/opt-ignore-docker', context];
    execFileSync('docker', buildx, { stdio: 'pipe' });
    expect([ignore, code, ours]).toEqual([ignore, 0, inImage('opt-ignore-docker', '/list')]);
  }
});
