import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adminServer, sseText, stream } from './admin-server.ts';
import { event, host, MAC } from './records.ts';
import { NOW, run } from './run.ts';

const list = [
  event(7),
  event(8, { kind: 'report', actor: 'host', reason: 'progress \x1b[31mred\x1b[0m' }),
  event(9, { host: 'host-gone', kind: 'host-removed', reason: 'removed' }),
  event(10, { host: null, kind: 'build-ended', actor: 'server', reason: '' }),
];
const hosts = () => ({ hosts: [host()], next: null });

test('a table with the hosts by their MAC', async () => {
  const server = await adminServer({
    'GET /api/v1/events': () => ({ events: list, next: 10 }),
    'GET /api/v1/hosts': hosts,
  });
  const { code, stdout } = await run(['events', '--server', server.url]);
  expect(server.asked[0]?.path).toBe('/api/v1/events?limit=100');
  expect(stdout).toMatchInlineSnapshot(`
    "ID  WHEN       HOST               EVENT          BY        REASON
     7  1 min ago  52:54:00:00:00:01  attempt-began  operator  debian-13:next was ordered
     8  1 min ago  52:54:00:00:00:01  report         host      progress red
     9  1 min ago  host-gone          host-removed   operator  removed
    10  1 min ago  -                  build-ended    server    -
    "
  `);
  expect(code).toBe(0);
});

test('filters go to the server; --json is what the API said', async () => {
  const server = await adminServer({ 'GET /api/v1/events': () => ({ events: list, next: 10 }) });
  const args = ['events', '--host', MAC, '--limit', '5', '--after', '0', '--json', '--server', server.url];
  const { stdout } = await run(args);
  expect(server.asked.map(({ path }) => path)).toEqual([
    `/api/v1/events?limit=5&after=0&host=${encodeURIComponent(MAC)}`,
  ]);
  expect(JSON.parse(stdout)).toEqual({ events: list, next: 10 });
});

test('--follow goes on where the list ended, across a broken stream, until Ctrl-C', async () => {
  const interrupt = new AbortController();
  let streams = 0;
  const server = await adminServer({
    'GET /api/v1/events': (asked, response) => {
      if (asked.headers.accept !== 'text/event-stream') return { events: [list[0]], next: 7 };
      streams += 1;
      if (streams === 1) return stream(response, [sseText('report', list[1], 8)], 'break');
      return stream(response, [sseText('report', list[1], 8), sseText('host-removed', list[2], 9)], 'stay');
    },
    'GET /api/v1/hosts': hosts,
  });
  const { code, stdout, stderr } = await run(['events', '--follow', '--server', server.url], {
    signal: interrupt.signal,
    onStdout: (text) => {
      if (text.includes('host-removed')) interrupt.abort();
    },
  });
  expect(stdout).toMatchInlineSnapshot(`
    "2026-11-24T11:58:07Z  52:54:00:00:00:01  attempt-began   operator  debian-13:next was ordered
    2026-11-24T11:58:08Z  52:54:00:00:00:01  report          host      progress red
    2026-11-24T11:58:09Z  host-gone          host-removed    operator  removed
    "
  `);
  expect(code).toBe(0);
  expect(stderr).toContain('cannot be reached: the connection broke off.');
  const sent = server.asked.filter(({ headers }) => headers.accept === 'text/event-stream');
  expect(sent.map(({ path, headers }) => [path, headers['last-event-id']])).toEqual([
    ['/api/v1/events?after=7', '7'],
    ['/api/v1/events?after=8', '8'],
  ]);
});

test('--follow --json is one event a line, as the API said it', async () => {
  const interrupt = new AbortController();
  const newer = { ...event(11), newer: true };
  const server = await adminServer({
    'GET /api/v1/events': (asked, response) => {
      if (asked.headers.accept !== 'text/event-stream') return { events: list, next: 10 };
      return stream(response, [sseText('y', { unknown: 1 }), sseText('x', newer, 11)], 'stay');
    },
  });
  const { stdout } = await run(['events', '--follow', '--json', '--server', server.url], {
    signal: interrupt.signal,
    onStdout: (text) => {
      if (text.includes('newer')) interrupt.abort();
    },
  });
  const lines = stdout.trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([...list, newer]);
});

test('--follow at a server started for itself is refused', async () => {
  const { code, stderr } = await run(['events', '--follow']);
  expect(code).toBe(1);
  expect(stderr).toContain('nothing happens');
});

test('no events: said on stderr', async () => {
  const server = await adminServer({ 'GET /api/v1/events': () => ({ events: [], next: 0 }) });
  const { code, stdout, stderr } = await run(['events', '--server', server.url]);
  expect([code, stdout, stderr]).toEqual([0, '', 'Nothing has happened.\n']);
});

test('each filter goes to the server, kinds apart, and times that are spans as moments', async () => {
  const server = await adminServer({ 'GET /api/v1/events': () => ({ events: [], next: 0 }) });
  await run([
    ...['events', '--kind', 'report,assigned', '--kind', 'approved', '--by', 'ann', '--actor', 'operator'],
    ...['--attempt', 'a1', '--since', '2h', '--until', '2026-11-24T11:00:00Z', '--server', server.url],
  ]);
  const query = new URLSearchParams(server.asked[0]?.path.split('?')[1]);
  expect([...query]).toEqual([
    ['limit', '100'],
    ['by', 'ann'],
    ['actor', 'operator'],
    ['attempt', 'a1'],
    ['kind', 'report'],
    ['kind', 'assigned'],
    ['kind', 'approved'],
    ['since', String(NOW - 2 * 3_600_000)],
    ['until', '2026-11-24T11:00:00Z'],
  ]);
});

test('--follow tells what is missing, and goes on behind it', async () => {
  const interrupt = new AbortController();
  let streams = 0;
  const server = await adminServer({
    'GET /api/v1/events': (asked, response) => {
      if (asked.headers.accept !== 'text/event-stream') return { events: [], next: 70 };
      streams += 1;
      if (streams === 1) {
        const gap = { after: 70, next: 7, reason: 'the log ends at 6: it was restored from a backup' };
        return stream(response, [sseText('gap', gap, 6), sseText('report', list[0], 7)], 'break');
      }
      interrupt.abort();
      return stream(response, [], 'stay');
    },
    'GET /api/v1/hosts': hosts,
  });
  const { stdout, stderr } = await run(['events', '--follow', '--server', server.url], {
    signal: interrupt.signal,
  });
  expect(stdout).toContain('attempt-began');
  expect(stderr).toContain(
    'events are missing after 70: the log ends at 6: it was restored from a backup.\n',
  );
  expect(server.asked.at(-1)?.headers['last-event-id']).toBe('7');
});

describe('--export', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'warmboot-export-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const lines = list.map((each) => `${JSON.stringify(each)}\n`).join('');

  test('writes what the server sends into a file', async () => {
    const server = await adminServer({
      'GET /api/v1/events': (_asked, response) => {
        response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(lines);
        return undefined;
      },
    });
    const file = join(folder, 'log.jsonl');
    const { code } = await run(['events', '--export', file, '--kind', 'report', '--server', server.url]);
    expect([code, readFileSync(file, 'utf8')]).toEqual([0, lines]);
    expect(server.asked[0]?.headers.accept).toBe('application/x-ndjson');
    expect(server.asked[0]?.path).toBe('/api/v1/events?kind=report&after=0');
  });

  test('leaves no part of a file when the answer breaks off', async () => {
    const server = await adminServer({
      'GET /api/v1/events': (_asked, response) => {
        response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write(lines);
        setTimeout(() => response.destroy(), 20);
        return undefined;
      },
    });
    const { code, stderr } = await run([
      ...['events', '--export', join(folder, 'log.jsonl'), '--server', server.url],
    ]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('broke off in the middle of its answer')]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('goes with neither --follow nor --limit', async () => {
    for (const more of [['--follow'], ['--limit', '5']]) {
      const { code, stderr } = await run(['events', '--export', '-', ...more]);
      expect([code, stderr]).toEqual([2, expect.stringContaining('leave --follow and --limit out')]);
    }
  });
});
