import { expect, test } from 'vitest';
import { adminServer, problem } from './admin-server.ts';
import { run } from './run.ts';

test('a server that is not there: what, why, what to do', async () => {
  const server = await adminServer();
  await server.close();
  const { code, stdout, stderr } = await run(['hosts', '--server', server.url]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toBe(
    `warmboot: the server at ${server.url} cannot be reached: nothing listens there. Is it running, and is this its admin address (--server, WARMBOOT_SERVER)?\n`,
  );
});

test('something that is not Warmboot', async () => {
  const html = (status: number) =>
    adminServer({
      'GET /api/v1/hosts': (_asked, response) => {
        response
          .writeHead(status, { 'content-type': 'text/html', location: 'http://elsewhere/' })
          .end('<html>');
      },
    });
  for (const status of [200, 302, 502]) {
    const { url } = await html(status);
    const { code, stderr } = await run(['hosts', '--server', url]);
    expect([code, stderr]).toEqual([
      1,
      `warmboot: ${url} does not answer like a Warmboot server (HTTP ${status}, text/html). Is it the address of its admin plane?\n`,
    ]);
  }
});

test('an answer of another form', async () => {
  const server = await adminServer({ 'GET /api/v1/hosts': () => ({ hosts: [{ mac: 7 }] }) });
  const { code, stderr } = await run(['hosts', '--server', server.url]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^warmboot: the server at .* answers \/api\/v1\/hosts in a form .*\n$/);
});

test('the sentence of a refusal cannot reach the terminal raw', async () => {
  const server = await adminServer({
    'GET /api/v1/hosts': (_asked, response) => problem(response, 500, '\x1b]0;x\x07bad\x1b[2J\nnews\x1bc'),
  });
  const { stderr } = await run(['hosts', '--server', server.url]);
  expect(stderr).toBe('warmboot: bad news\\x1bc\n');
});

test('a name cannot leave its place in the address', async () => {
  const server = await adminServer();
  const { stderr } = await run(['host', '../images?x#y', '--server', server.url]);
  expect(server.asked[0]?.path).toBe('/api/v1/hosts/..%2Fimages%3Fx%23y');
  expect(stderr).toMatch(/^warmboot: /);
  const dots = await run(['host', '..', '--server', server.url]);
  expect([dots.code, dots.stderr]).toEqual([2, 'warmboot: ".." names nothing.\n']);
});

test.each([
  [['hosts', '--nonsense'], "unknown option '--nonsense'"],
  [['host'], "missing required argument 'mac'"],
  [['hots'], "unknown command 'hots' (Did you mean one of host, hosts?)"],
  [['assign', 'm', 'i', '--timeout', 'soon'], "'soon' is invalid. It is a number of seconds."],
  [['enrol', 'm', '--label', 'rack'], "'rack' is invalid. It is NAME=VALUE."],
  [['images', 'more'], 'too many arguments'],
])('wrong use is exit 2 and one sentence: %j', async (args, sentence) => {
  const { code, stdout, stderr } = await run(args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(/^warmboot: /);
  expect(stderr).toContain(sentence);
});

test('no command: the help, on stderr', async () => {
  const { code, stdout, stderr } = await run([]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('Usage: warmboot');
});

test('a mistake of the program is told apart from one of the user', async () => {
  const { code, stderr } = await run(['images'], { startServer: () => Promise.reject(new TypeError('oh')) });
  expect(code).toBe(70);
  expect(stderr).toContain('this should not happen');
});
