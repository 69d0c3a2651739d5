import { expect, test } from 'vitest';
import { adminServer, problem, type Route, sseText, stream } from './admin-server.ts';
import { build, ONE } from './records.ts';
import { NOW, run } from './run.ts';

const done = build({ status: 'succeeded', digest: ONE, endedAt: NOW });
const entries = [
  { phase: 'docker', message: '[stage-0 2/2] RUN apt-get update' },
  { phase: 'docker', message: '\x1b[32mGet:1\x1b[0m trixie\x07 InRelease' },
  { phase: 'layers', message: '10 chunks', bytesDone: 0, bytesTotal: 2_000_000_000 },
  { phase: 'layers', message: '11 chunks', bytesDone: 100_000, bytesTotal: 2_000_000_000 },
  { phase: 'layers', message: '500 chunks', bytesDone: 1_000_000_000, bytesTotal: 2_000_000_000 },
  { phase: 'layers', message: '900 chunks', bytesDone: 2_000_000_000, bytesTotal: 2_000_000_000 },
  { phase: 'pack', message: 'syncing' },
].map((entry) => sseText('entry', entry));

function routes(log: Route, ended: unknown = done): Record<string, Route> {
  return {
    'POST /api/v1/builds': () => build(),
    'GET /api/v1/builds/build-1': () => ended,
    'GET /api/v1/builds/build-1/log': log,
  };
}

const log =
  (...texts: string[]): Route =>
  (_asked, response) =>
    stream(response, texts, 'end');

test('progress as lines on stderr, the digest alone on stdout', async () => {
  const server = await adminServer(routes(log(...entries, ': still here\n\n', sseText('end', done))));
  const { code, stdout, stderr } = await run(['build', 'debian-13', '--tag', 'v2', '--server', server.url]);
  expect(server.asked[0]?.body).toEqual({ name: 'debian-13', tag: 'v2' });
  expect(stdout).toBe(`${ONE}\n`);
  expect(stderr).toMatchInlineSnapshot(`
    "docker: [stage-0 2/2] RUN apt-get update
    docker: Get:1 trixie\\x07 InRelease
    layers: 0% of 1.9 GiB (10 chunks)
    layers: 50% of 1.9 GiB (500 chunks)
    layers: 100% of 1.9 GiB (900 chunks)
    pack: syncing
    "
  `);
  expect(code).toBe(0);
});

test('a note stays on a line of its own, also on a terminal', async () => {
  const note = sseText('entry', { phase: 'base', message: 'note: no slot holds it', note: true });
  for (const columns of [undefined, 60]) {
    const server = await adminServer(routes(log(note, ...entries, sseText('end', done))));
    const { stderr } = await run(['build', 'debian-13', '--server', server.url], columns ? { columns } : {});
    const lines = stderr.split('\n').map((line) => line.replace('\r\x1b[K', ''));
    expect(lines).toContain('note: no slot holds it');
  }
});

test('without --tag none is sent; --json gives the build', async () => {
  const server = await adminServer(routes(log(sseText('end', done))));
  const { stdout } = await run(['build', 'debian-13', '--json', '--server', server.url]);
  expect(server.asked[0]?.body).toEqual({ name: 'debian-13' });
  expect(JSON.parse(stdout)).toEqual(done);
});

test('on a terminal one line changes, and a phase that is over stays', async () => {
  const server = await adminServer(routes(log(...entries, sseText('end', done))));
  const { stdout, stderr } = await run(['build', 'debian-13', '--server', server.url], { columns: 60 });
  expect(stdout).toBe(`${ONE}\n`);
  const lines = stderr.split('\n').map((line) => line.split('\r').at(-1)?.replace('\x1b[K', ''));
  expect(lines).toEqual([
    'docker      Get:1 trixie\\x07 InRelease',
    'layers      1.9 GiB',
    'pack        syncing',
    '',
  ]);
  expect(stderr).toContain('\rlayers      ████░░░░  50%  954 MiB of 1.9 GiB  500 chunks');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
  expect(stderr.replaceAll('\x1b[K', '')).not.toMatch(/[\x1b\x07]/);
});

test('a build that failed: its sentence, exit 1, and on a terminal what was said last', async () => {
  const error = 'the Dockerfile of debian-13 failed at RUN false: exit code 1.';
  const failed = build({ status: 'failed', error, endedAt: NOW });
  const server = await adminServer(routes(log(...entries.slice(0, 2), sseText('end', failed)), failed));
  const plain = await run(['build', 'debian-13', '--server', server.url]);
  expect([plain.code, plain.stdout]).toEqual([1, '']);
  expect(plain.stderr.split('\n').at(-2)).toBe(`warmboot: ${error}`);
  const terminal = await run(['build', 'debian-13', '--server', server.url], { columns: 80 });
  expect(terminal.stderr).toContain(
    '    [stage-0 2/2] RUN apt-get update\n    Get:1 trixie\\x07 InRelease\n',
  );
  expect(terminal.stderr.endsWith(`\nwarmboot: ${error}\n`)).toBe(true);
});

test('a build that was interrupted without a word', async () => {
  const gone = build({ status: 'interrupted' });
  const server = await adminServer(routes((_asked, response) => problem(response, 404, 'gone'), gone));
  const { code, stderr } = await run(['build', 'debian-13', '--server', server.url]);
  expect([code, stderr]).toEqual([1, 'warmboot: the build of debian-13 was interrupted.\n']);
});

test('an image that only Dockerfiles use has no digest', async () => {
  const tool = build({ status: 'succeeded', name: 'agent' });
  const server = await adminServer(routes(log(sseText('end', tool)), tool));
  const { code, stdout, stderr } = await run(['build', 'agent', '--server', server.url]);
  expect([code, stdout]).toEqual([0, '']);
  expect(stderr).toBe('agent is built, for other Dockerfiles to copy from; hosts cannot run it.\n');
});

test('a stream that breaks is read again, and nothing is shown twice', async () => {
  let reads = 0;
  const server = await adminServer(
    routes((_asked, response) => {
      reads += 1;
      return reads === 1
        ? stream(response, entries.slice(0, 2), 'break')
        : stream(response, [...entries, sseText('end', done)], 'end');
    }, build()),
  );
  const { code, stdout, stderr } = await run(['build', 'debian-13', '--server', server.url]);
  expect([code, stdout, reads]).toEqual([0, `${ONE}\n`, 2]);
  expect(stderr.match(/apt-get update/g)).toHaveLength(1);
});

test('a build that waits for its turn says for how many, and goes on', async () => {
  const waits = [3, 1].map((buildsBefore) => sseText('queued', { buildsBefore }));
  let reads = 0;
  const server = await adminServer(
    routes(
      (_asked, response) => {
        reads += 1;
        return reads === 1
          ? stream(response, waits, 'break')
          : stream(response, [...waits.slice(1), ...entries.slice(0, 1), sseText('end', done)], 'end');
      },
      build({ status: 'queued' }),
    ),
  );
  const { code, stdout, stderr } = await run(['build', 'debian-13', '--server', server.url]);
  expect([code, stdout, reads]).toEqual([0, `${ONE}\n`, 2]);
  expect(stderr).toBe(
    'queue: waits for 3 builds before it\nqueue: waits for 1 build before it\ndocker: [stage-0 2/2] RUN apt-get update\n',
  );
});

test('Ctrl-C stops following and says that the build goes on', async () => {
  const interrupt = new AbortController();
  const server = await adminServer(
    routes((_asked, response) => stream(response, entries.slice(0, 1), 'stay')),
  );
  const { code, stderr } = await run(['build', 'debian-13', '--server', server.url], {
    signal: interrupt.signal,
    onStderr: () => interrupt.abort(),
  });
  expect(code).toBe(130);
  expect(stderr).toContain('warmboot: no longer following; build build-1 goes on.');
});

test('Ctrl-C with a server of its own ends the build', async () => {
  const interrupt = new AbortController();
  const server = await adminServer(
    routes((_asked, response) => stream(response, entries.slice(0, 1), 'stay')),
  );
  const { code, stderr } = await run(['build', 'debian-13'], {
    signal: interrupt.signal,
    onStderr: () => interrupt.abort(),
    startServer: async () => ({ adminUrl: server.url, close: server.close }),
  });
  expect(code).toBe(130);
  expect(stderr).toContain('warmboot: stopped, and the build of this command with it.\n');
});

test('what the server refuses is said in its words', async () => {
  const detail = 'There is no images/nonsense/Dockerfile. Make one, or give another name.';
  const server = await adminServer({
    'POST /api/v1/builds': (_asked, response) => problem(response, 422, detail),
  });
  const { code, stdout, stderr } = await run(['build', 'nonsense', '--server', server.url]);
  expect([code, stdout, stderr]).toEqual([1, '', `warmboot: ${detail}\n`]);
});
