import { expect, test } from 'vitest';
import { adminServer } from './admin-server.ts';
import { host, MAC, ONE } from './records.ts';
import { run } from './run.ts';

const path = (what: string) => `POST /api/v1/hosts/${encodeURIComponent(MAC)}/${what}`;

test.each([
  [
    'retire',
    ['retire', MAC],
    {},
    `${MAC} is retired: its token is worth nothing, and its disk stays as it is.\n`,
  ],
  [
    'hold',
    ['hold', MAC, '--reason', 'new memory'],
    { reason: 'new memory' },
    `${MAC} is held: what is ordered waits until "warmboot resume ${MAC}".\n`,
  ],
  ['resume', ['resume', MAC], {}, `${MAC}: none: the host runs its image\n`],
] as const)('%s', async (what, argv, body, said) => {
  const server = await adminServer({ [path(what)]: () => host() });
  const { code, stdout } = await run([...argv, '--server', server.url]);
  expect([code, stdout]).toEqual([0, said]);
  expect(server.asked[0]?.body).toEqual(body);
  const asJson = await run([...argv, '--json', '--server', server.url]);
  expect(JSON.parse(asJson.stdout)).toEqual(host());
});

test('rollback says which attempt brings it back', async () => {
  const answer = {
    attempt: 'attempt-9',
    digest: ONE,
    state: 'staging',
    reason: 'waits for the agent to ask',
  };
  const server = await adminServer({ [path('rollback')]: () => answer });
  const { code, stdout } = await run(['rollback', MAC, '--server', server.url]);
  expect([code, stdout]).toEqual([
    0,
    `${MAC}: ${ONE} is ordered, attempt attempt-9: waits for the agent to ask\n`,
  ]);
});

test.each([
  ['POST', '/retire', ['retire', MAC]],
  ['POST', '/hold', ['hold', MAC]],
  ['POST', '/resume', ['resume', MAC]],
  ['POST', '/release', ['release', MAC]],
  ['PATCH', '', ['set', MAC, '--append', 'quiet']],
  ['PUT', '/ignored', ['ignore', MAC]],
  ['POST', '/approve', ['approve', MAC]],
] as const)('--revision: %s %s is sent under that condition', async (method, below, argv) => {
  const where = `${method} /api/v1/hosts/${encodeURIComponent(MAC)}${below}`;
  const server = await adminServer({ [where]: () => host() });
  expect((await run([...argv, '--revision', '17', '--server', server.url])).code).toBe(0);
  expect((await run([...argv, '--server', server.url])).code).toBe(0);
  expect(server.asked.map(({ headers }) => headers['if-match'])).toEqual(['"17"', undefined]);
});

test.each(['retry', 'rollback', 'reinstall', 'assign'])('--revision: %s, an order', async (command) => {
  const answer = { attempt: 'attempt-9', digest: ONE, state: 'staging', reason: 'waits' };
  const where = command === 'assign' ? `PUT ${path('os').slice(5)}` : path(command);
  const server = await adminServer({ [where]: () => answer });
  const argv = [command, MAC, ...(command === 'assign' ? ['one'] : []), '--revision', '17'];
  expect((await run([...argv, '--server', server.url])).code).toBe(0);
  expect(server.asked[0]?.headers['if-match']).toBe('"17"');
});

test('--revision with a selector is refused: each host has its own', async () => {
  const server = await adminServer({});
  const { code, stderr } = await run(['assign', 'a=b', 'one', '--revision', '17', '--server', server.url]);
  expect([code, stderr]).toEqual([2, expect.stringContaining('--revision is of one host')]);
  expect(server.asked).toEqual([]);
});
