import { expect, test } from 'vitest';
import { type AdminServer, adminServer, problem, sseText, stream } from './admin-server.ts';
import { event, host, MAC } from './records.ts';
import { run } from './run.ts';

/** An admin plane whose hosts are those of `moments`, the next ones after each event. */
async function changing(moments: readonly object[][]): Promise<AdminServer> {
  let at = 0;
  let tell = () => {};
  return adminServer({
    'GET /api/v1/events': (asked, response) => {
      if (asked.headers.accept !== 'text/event-stream') return { events: [], next: 7 };
      stream(response, [], 'stay');
      tell = () => void response.write(sseText('report', event(8), 8));
      return undefined;
    },
    'GET /api/v1/hosts': () => {
      const hosts = moments[Math.min(at, moments.length - 1)];
      at += 1;
      setTimeout(() => tell(), 700);
      return { hosts, next: null };
    },
    'GET /api/v1/images': () => ({ images: [] }),
  });
}
const OTHER = '52:54:00:00:00:02';
const moments = [
  [host(), host({ mac: OTHER, macs: [OTHER] })],
  [host({ state: 'failed' }), host({ mac: OTHER, macs: [OTHER] })],
  [host({ state: 'failed' })],
];

/** Runs until `isEnough` of what was printed. */
async function watched(args: readonly string[], isEnough: (asked: number) => boolean, columns?: number) {
  const server = await changing(moments);
  const interrupt = new AbortController();
  const look = setInterval(() => {
    const loads = server.asked.filter(({ path }) => path.startsWith('/api/v1/hosts')).length;
    if (isEnough(loads)) interrupt.abort('SIGINT');
  }, 20);
  const ran = await run([...args, '--server', server.url], {
    signal: interrupt.signal,
    ...(columns !== undefined && { columns }),
  });
  clearInterval(look);
  return { ...ran, server };
}

test('into a pipe: one line for each host, then for each change, and for what is gone', async () => {
  const { code, stdout } = await watched(['hosts', '--watch'], (loads) => loads > 3);
  const lines = stdout.trim().split('\n');
  expect(code).toBe(0);
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(new RegExp(`^2026-11-24T12:00:00Z  ${MAC}  `));
  expect(lines[1]).toContain(OTHER);
  expect(lines[2]).toContain(`${MAC}  failed`);
  expect(lines[3]).toBe(`2026-11-24T12:00:00Z  ${OTHER}  gone`);
});

test('--json: the host as the API said it, at each change', async () => {
  const { stdout } = await watched(['hosts', '--watch', '--json'], (loads) => loads > 3);
  const said = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(said).toEqual([...(moments[0] ?? []), moments[1]?.[0], { gone: OTHER }]);
});

test('on a terminal: drawn again over what was there', async () => {
  const { stdout } = await watched(['hosts', '--watch'], (loads) => loads > 2, 120);
  const drawn = stdout.split('\x1b[H');
  expect(drawn.length).toBeGreaterThanOrEqual(3);
  expect(drawn[0]).toBe('\x1b[2J');
  expect(drawn[1]).toContain('\x1b[K\n');
  expect(drawn[1]?.startsWith('HOST ')).toBe(true);
  expect(drawn.at(-1)?.endsWith('Ctrl-C ends\x1b[K\n\x1b[J')).toBe(true);
});

test('a filter stays; a refusal ends it, with nothing left open', async () => {
  const { server } = await watched(['hosts', '--watch', '--state', 'failed'], (loads) => loads > 0);
  expect(server.asked.some(({ path }) => path === '/api/v1/hosts?state=failed')).toBe(true);
  const refuses = await adminServer({
    'GET /api/v1/events': (asked, response) =>
      asked.headers.accept === 'text/event-stream' ? stream(response, [], 'stay') : { events: [], next: 7 },
    [`GET /api/v1/hosts/${encodeURIComponent(MAC)}`]: (_asked, response) =>
      problem(response, 404, 'No host has it.'),
  });
  const { code, stderr } = await run(['host', MAC, '--watch', '--server', refuses.url]);
  expect([code, stderr]).toEqual([1, 'warmboot: No host has it.\n']);
});

test('a server that is away for a while: said once, and gone on with', async () => {
  let isAway = false;
  let loads = 0;
  const interrupt = new AbortController();
  const server = await adminServer({
    'GET /api/v1/images': (_asked, response) => {
      loads += 1;
      if (loads === 4) interrupt.abort('SIGINT');
      isAway = loads === 2 || loads === 3;
      if (isAway) return void response.destroy();
      return { images: [] };
    },
    'GET /api/v1/events': (asked, response) => {
      if (asked.headers.accept !== 'text/event-stream') return { events: [], next: 7 };
      stream(response, [], 'stay');
      const beat = setInterval(() => response.write(sseText('x', event(8), 8)), 100);
      response.on('close', () => clearInterval(beat));
      return undefined;
    },
  });
  const { code, stderr } = await run(['images', '--watch', '--server', server.url], {
    signal: interrupt.signal,
  });
  expect(code).toBe(0);
  expect(stderr.match(/Trying on/g)).toHaveLength(1);
});

test('at a server started for itself it is refused', async () => {
  for (const args of [['hosts'], ['images'], ['host', MAC]]) {
    const { code, stderr } = await run([...args, '--watch']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('nothing changes')]);
  }
});
