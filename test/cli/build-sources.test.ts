import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { adminServer, sseText, stream } from './admin-server.ts';
import { build, ONE } from './records.ts';
import { NOW, run } from './run.ts';

const root = mkdtempSync(join(tmpdir(), 'warmboot-sources-'));
afterAll(() => rmSync(root, { recursive: true }));
const context = join(root, 'context');
mkdirSync(context);
writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\n');
writeFileSync(join(root, 'token.txt'), 'hush-hush');

const done = build({ status: 'succeeded', digest: ONE, endedAt: NOW });

/** A server that takes contexts; what it got, whole. */
async function contextServer(known: ReadonlySet<string> = new Set(), refuse = 0) {
  const uploads: { path: string; bytes: Buffer; headers: Record<string, unknown> }[] = [];
  const orders: unknown[] = [];
  const server = createServer(async (request, response) => {
    const path = request.url ?? '';
    const json = (status: number, value: unknown, type = 'application/json') => {
      response.writeHead(status, { 'content-type': type });
      response.end(JSON.stringify(value));
    };
    const refused = (status: number, detail: string) =>
      json(status, { type: 'about:blank', title: 'no', status, detail }, 'application/problem+json');
    if (request.method === 'PUT' && refuse > 0) return refused(refuse, 'The context is larger than 1 MiB.');
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts);
    if (path === '/healthz') return json(200, { status: 'ok', instance: 'x' });
    if (path.startsWith('/api/v1/contexts/')) {
      const digest = path.slice('/api/v1/contexts/'.length);
      if (request.method === 'PUT') uploads.push({ path, bytes, headers: request.headers });
      else if (!known.has(digest)) return refused(404, 'not here');
      return json(200, { digest, bytes: bytes.length });
    }
    if (path.endsWith('/log')) return stream(response, [sseText('end', done)], 'end');
    if (request.method === 'POST') orders.push(JSON.parse(bytes.toString()));
    return json(202, build());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, uploads, orders };
}

test('a context is sent once, under its hash, and named in the order', async () => {
  const server = await contextServer();
  const flags = ['--context', context, '--target', 'last', '--build-arg', 'A=b=c', '--build-arg', 'FROM_ENV'];
  const secrets = ['--secret', `id=npm,src=${join(root, 'token.txt')}`, '--secret', 'id=other,env=OTHER'];
  const how = { env: { OTHER: 'x', FROM_ENV: 'y' } };
  const { code, stdout, stderr } = await run(
    ['build', 'web', ...flags, ...secrets, '--server', server.url],
    how,
  );
  expect([code, stdout]).toEqual([0, `${ONE}\n`]);
  const [upload] = server.uploads;
  const digest = `sha256:${createHash('sha256')
    .update(upload?.bytes ?? '')
    .digest('hex')}`;
  expect(upload?.path).toBe(`/api/v1/contexts/${digest}`);
  expect(upload?.headers).toMatchObject({
    'content-type': 'application/x-tar',
    'content-length': String(upload?.bytes.length),
  });
  expect(server.orders).toEqual([
    {
      name: 'web',
      context: digest,
      dockerfile: 'Dockerfile',
      target: 'last',
      buildArguments: { A: 'b=c', FROM_ENV: 'y' },
      secrets: {
        npm: Buffer.from('hush-hush').toString('base64'),
        other: Buffer.from('x').toString('base64'),
      },
    },
  ]);
  expect(stderr).toContain('context: 100% of');
  const again = await contextServer(new Set([digest]));
  const second = await run(['build', 'web', '--file', join(context, 'Dockerfile'), '--server', again.url]);
  expect(second.stderr).toContain('context: the server has it already\n');
  expect([again.uploads, again.orders]).toEqual([
    [],
    [{ name: 'web', context: digest, dockerfile: 'Dockerfile' }],
  ]);
});

test('names that every object has are no variables of the environment', async () => {
  const server = await contextServer();
  const flags = ['--build-arg', 'constructor', '--build-arg', '__proto__=x', '--server', server.url];
  expect((await run(['build', 'web', '--context', context, ...flags])).code).toBe(0);
  // Sent as it was given: the server says why it takes it not.
  expect(JSON.stringify(server.orders)).toContain('"buildArguments":{"__proto__":"x"}');
  const secret = ['--secret', 'id=toString', '--server', server.url];
  const { code, stderr } = await run(['build', 'web', '--context', context, ...secret]);
  expect([code, stderr]).toEqual([1, expect.stringContaining('the variable toString is not set')]);
});

test('a context that the server does not take: its sentence', async () => {
  const server = await contextServer(new Set(), 413);
  const { code, stderr } = await run(['build', 'web', '--context', context, '--server', server.url]);
  expect([code, stderr.split('\n').at(-2)]).toEqual([1, 'warmboot: The context is larger than 1 MiB.']);
});

test('--from and what counts instead of image.json', async () => {
  const server = await adminServer({
    'POST /api/v1/builds': () => build(),
    'GET /api/v1/builds/build-1/log': (_asked, response) => stream(response, [sseText('end', done)], 'end'),
  });
  const flags = '--from reg.example/db:3 --filesystem xfs --size 4GiB --append quiet --add-agent'.split(' ');
  expect((await run(['build', 'db', ...flags, '--server', server.url])).code).toBe(0);
  expect(server.asked[0]?.body).toEqual({
    name: 'db',
    from: 'reg.example/db:3',
    filesystem: 'xfs',
    size: '4GiB',
    append: 'quiet',
    addAgent: true,
  });
});

test.each<[string, string[], string, number]>([
  ['no context', ['--context', join(root, 'none')], 'none does not exist', 1],
  ['no Dockerfile', ['--context', root], 'Dockerfile does not exist', 1],
  ['--from with more', ['--from', 'x', '--target', 'y'], '--target has no place beside it', 2],
  ['an argument without a name', ['--build-arg', '=x'], 'is not NAME=VALUE', 2],
  ['a filesystem that is none', ['--filesystem', 'fat'], 'Allowed choices are ext4, xfs', 2],
  [
    'a secret file that is missing',
    ['--secret', 'id=a,src=/none'],
    'the secret a cannot be read: /none does not exist',
    1,
  ],
  ['a secret variable that is not set', ['--secret', 'id=a'], 'the variable a is not set', 1],
  ['a secret in the open', ['--secret', 'hush-hush'], '--secret is id=ID,src=FILE or id=ID,env=NAME', 2],
  ['a secret from two places', ['--secret', 'id=a,src=b,env=c'], '--secret is id=ID', 2],
])('%s', async (_, flags, sentence, exit) => {
  const server = await adminServer();
  const { code, stdout, stderr } = await run(['build', 'web', ...flags, '--server', server.url]);
  expect([code, stdout]).toEqual([exit, '']);
  expect(stderr).toContain(sentence);
  expect(stderr).not.toContain('hush-hush');
  expect(server.asked.filter(({ method }) => method !== 'GET')).toEqual([]);
});
