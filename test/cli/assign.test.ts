import { expect, test } from 'vitest';
import type { HostView } from '../../server/contract/hosts.ts';
import { adminServer, problem, type Route } from './admin-server.ts';
import { attempt, host, MAC, TWO } from './records.ts';
import { NOW, run } from './run.ts';

const PATH = `/api/v1/hosts/${encodeURIComponent(MAC)}`;
const ordered = { attempt: 'attempt-1', digest: TWO, state: 'staging', reason: 'waits for the agent to ask' };
const order = ['assign', MAC, 'debian-13:next'];

/** The host at each look, the last one for ever. */
function looks(...attempts: HostView['attempt'][]): Record<string, Route> {
  let at = 0;
  return {
    [`PUT ${PATH}/os`]: (_asked, response) => {
      response.statusCode = 202;
      return ordered;
    },
    [`GET ${PATH}`]: () => host({ attempt: attempts[Math.min(at++, attempts.length - 1)] ?? null }),
  };
}
const succeeded = attempt({
  phase: 'confirming',
  outcome: 'succeeded',
  reason: 'confirmed',
  endedAt: NOW - 50_000,
});

test('without --wait: what was ordered', async () => {
  const server = await adminServer(looks(attempt()));
  const { code, stdout, stderr } = await run([...order, '--server', server.url]);
  expect(server.asked.map(({ method, path, body }) => [method, path, body])).toEqual([
    ['PUT', `${PATH}/os`, { image: 'debian-13:next' }],
  ]);
  expect(stdout).toBe(`${MAC}: debian-13:next is ordered, attempt attempt-1: waits for the agent to ask\n`);
  expect([code, stderr]).toEqual([0, '']);
});

test('--fresh is sent; --json is what the API said', async () => {
  const server = await adminServer(looks(attempt()));
  const { stdout } = await run([...order, '--fresh', '--json', '--server', server.url]);
  expect(server.asked[0]?.body).toEqual({ image: 'debian-13:next', fresh: true });
  expect(JSON.parse(stdout)).toEqual(ordered);
});

test.each([[[]], [['--wait']]])('a host that runs the image already: exit 0 %j', async (more) => {
  const done = { attempt: null, digest: TWO, state: 'active', reason: 'the host runs this image already' };
  const server = await adminServer({ [`PUT ${PATH}/os`]: () => done });
  const { code, stdout } = await run([...order, ...more, '--server', server.url]);
  expect([code, stdout, server.asked.length]).toEqual([0, `${MAC} runs debian-13:next already.\n`, 1]);
});

test('--wait shows phases and progress, and ends with the attempt', async () => {
  const writing = { phase: 'write', bytesDone: 50, bytesTotal: 100 };
  const server = await adminServer(
    looks(
      attempt(),
      attempt({ progress: writing }),
      attempt({ phase: 'switching', reason: 'jumps to slot b' }),
      succeeded,
    ),
  );
  const { code, stdout, stderr } = await run([...order, '--wait', '--server', server.url]);
  expect(stderr).toMatchInlineSnapshot(`
    "52:54:00:00:00:01: attempt attempt-1: waits for the agent to ask
    staging: waits for the agent to ask
    staging: 50% of 100 B (write)
    switching: jumps to slot b
    "
  `);
  expect([code, stdout]).toEqual([0, `${MAC} runs debian-13:next (${TWO}) after 40 s.\n`]);
});

test.each([
  [
    'failed',
    `debian-13:next failed on ${MAC} in phase staging after 40 s: no space. Once mended: warmboot retry ${MAC}`,
  ],
  [
    'rolled-back',
    `${MAC} was rolled back from debian-13:next after 40 s: no space. Look at it with: warmboot host ${MAC}`,
  ],
  ['superseded', `another order took the place of debian-13:next on ${MAC}: no space.`],
] as const)('--wait: %s is exit 1', async (outcome, sentence) => {
  const ended = attempt({ outcome, reason: 'no space', endedAt: NOW - 50_000 });
  const server = await adminServer(looks(ended));
  const { code, stdout, stderr } = await run([...order, '--wait', '--server', server.url]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr.split('\n').slice(-2)).toEqual([`warmboot: ${sentence}`, '']);
});

test('--wait --json: the attempt as it ended', async () => {
  const server = await adminServer(looks(succeeded));
  const { code, stdout } = await run([...order, '--wait', '--json', '--server', server.url]);
  expect([code, JSON.parse(stdout)]).toEqual([0, succeeded]);
});

test('an attempt that is no longer the present one is found among the former', async () => {
  const mine = attempt({ outcome: 'superseded', reason: 'debian-12 was ordered', endedAt: NOW });
  const server = await adminServer({
    ...looks(attempt({ id: 'attempt-2' })),
    [`GET ${PATH}/attempts`]: () => ({ attempts: [mine, attempt({ id: 'attempt-2' })] }),
  });
  const { code, stderr } = await run([...order, '--wait', '--server', server.url]);
  expect(code).toBe(1);
  expect(stderr).toContain('debian-12 was ordered');
});

test('--timeout ends the wait, not the attempt', async () => {
  let now = NOW;
  const server = await adminServer(looks(attempt()));
  const { code, stderr } = await run([...order, '--wait', '--timeout', '1.5', '--server', server.url], {
    now: () => {
      now += 600;
      return now;
    },
  });
  expect(code).toBe(1);
  expect(stderr).toContain(`warmboot: ${MAC} is not done after 1.5 s, it is in phase staging; it goes on.`);
});

test('a server that is away for a while does not end the wait', async () => {
  let looked = 0;
  const server = await adminServer(looks());
  server.routes[`GET ${PATH}`] = (_asked, response) => {
    looked += 1;
    if (looked > 1) return host({ attempt: succeeded });
    response.destroy();
    return undefined;
  };
  const { code, stderr } = await run([...order, '--wait', '--server', server.url]);
  expect(code).toBe(0);
  expect(stderr).toMatch(/cannot be reached: .*\? Trying on\.\nthe server is back\n/);
});

test('Ctrl-C while waiting: the host goes on', async () => {
  const interrupt = new AbortController();
  const server = await adminServer(looks(attempt()));
  const { code, stderr } = await run([...order, '--wait', '--server', server.url], {
    signal: interrupt.signal,
    onStderr: (text) => {
      if (text.startsWith('staging')) interrupt.abort();
    },
  });
  expect([code, stderr]).toEqual([
    130,
    expect.stringContaining(`warmboot: no longer following; ${MAC} goes on.`),
  ]);
});

test('--wait at a server started for itself is refused before it is started', async () => {
  const { code, stderr } = await run([...order, '--wait']);
  expect(code).toBe(1);
  expect(stderr).toBe(
    'warmboot: no server runs on the data folder ./data, and one started for this command alone cannot be reached by any host, so there would be nothing to wait for. Start one with `warmboot serve`, or name it with --server.\n',
  );
});

test('an unknown image is refused in the words of the server', async () => {
  const detail = 'There is no image debian-99. Build it, or look at `warmboot images`.';
  const server = await adminServer({
    [`PUT ${PATH}/os`]: (_asked, response) => problem(response, 422, detail),
  });
  const { code, stderr } = await run(['assign', MAC, 'debian-99', '--server', server.url]);
  expect([code, stderr]).toEqual([1, `warmboot: ${detail}\n`]);
});

test('retry and reinstall', async () => {
  const server = await adminServer({
    [`POST ${PATH}/retry`]: () => ordered,
    [`POST ${PATH}/reinstall`]: () => ordered,
  });
  await run(['retry', MAC, '--server', server.url]);
  await run(['reinstall', MAC, '--server', server.url]);
  const { code, stdout } = await run(['reinstall', MAC, '--wipe', '--server', server.url]);
  expect(server.asked.map(({ path, body }) => [path.slice(PATH.length), body])).toEqual([
    ['/retry', {}],
    ['/reinstall', {}],
    ['/reinstall', { wipe: true }],
  ]);
  expect([code, stdout]).toEqual([
    0,
    `${MAC}: ${TWO} is ordered, attempt attempt-1: waits for the agent to ask\n`,
  ]);
});
