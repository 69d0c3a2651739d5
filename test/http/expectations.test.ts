import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const CONTEXT = `/api/v1/contexts/sha256:${'0'.repeat(64)}`;

/** A client that sends its head and waits. */
function client(lines: readonly string[], url = server.running.adminUrl) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {});
  onTestFinished(() => void socket.destroy());
  let text = '';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('data', (part) => {
    text += part;
  });
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return {
    socket,
    closed,
    said: () => text,
    saying: (what: RegExp) => expect.poll(() => text).toMatch(what),
  };
}

const asking = (method: string, path: string, ...more: string[]) => [
  `${method} ${path} HTTP/1.1`,
  'host: x',
  'expect: 100-continue',
  'content-type: application/json',
  ...more,
];
const bearer = (token: string) => `authorization: Bearer ${token}`;

describe('100-continue', () => {
  test.each<[string, number, () => string[]]>([
    ['a wrong token', 401, () => asking('PUT', CONTEXT, bearer('wrong'), 'content-length: 1000')],
    ['no token', 401, () => asking('POST', '/api/v1/uploads', 'content-length: 1000')],
    ['no such place', 404, () => asking('PUT', '/api/v1/nowhere', bearer(server.token), 'content-length: 9')],
    [
      'a body that is too large',
      413,
      () => asking('POST', '/api/v1/hosts', bearer(server.token), 'content-length: 99999999'),
    ],
    [
      'a body that is compressed',
      415,
      () => asking('PUT', CONTEXT, bearer(server.token), 'content-encoding: gzip', 'content-length: 9'),
    ],
    [
      'chunks that are compressed',
      501,
      () => asking('PUT', CONTEXT, bearer(server.token), 'transfer-encoding: gzip, chunked'),
    ],
  ])('%s: the answer, no invitation, and an end', async (_, status, lines) => {
    const { closed, said } = client(lines());
    await closed;
    expect(said()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(said()).not.toContain('100 Continue');
    expect(said()).toMatch(/^connection: close$/im);
    expect(said()).toContain('application/problem+json');
  });

  test('who may send is invited, and the connection goes on', async () => {
    const body = JSON.stringify({ macs: [newMac()] });
    const lines = asking('POST', '/api/v1/hosts', bearer(server.token), `content-length: ${body.length}`);
    const { socket, said, saying } = client(lines);
    await saying(/^HTTP\/1.1 100 Continue\r\n\r\n/);
    socket.write(body);
    await saying(/HTTP\/1.1 201 Created/);
    socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    await saying(/HTTP\/1.1 200 OK/);
    expect(said().match(/100 Continue/g)).toHaveLength(1);
    expect(said()).not.toMatch(/^connection: close$/im);
  });

  test('so is a host on the boot plane, and who sends chunks', async () => {
    const lines = asking('POST', '/boot/hosts/52:54:00:00:00:77/claims', 'transfer-encoding: chunked');
    const { socket, saying } = client(lines, server.running.boot?.url);
    await saying(/^HTTP\/1.1 100 Continue\r\n\r\n/);
    socket.write('2\r\n{}\r\n0\r\n\r\n');
    await saying(/HTTP\/1.1 400 Bad Request/);
  });

  test('who does not wait is read all the same', async () => {
    const body = JSON.stringify({ macs: [newMac()] });
    const lines = asking('POST', '/api/v1/hosts', bearer(server.token), `content-length: ${body.length}`);
    const { socket, saying } = client(lines);
    socket.write(body);
    await saying(/HTTP\/1.1 201 Created/);
  });

  test('a client of HTTP/1.0 is invited to nothing', async () => {
    const [, ...rest] = asking('POST', '/api/v1/hosts', bearer(server.token), 'content-length: 2');
    const { socket, closed, said } = client(['POST /api/v1/hosts HTTP/1.0', ...rest]);
    await pause(200);
    expect(said()).toBe('');
    socket.write('{}');
    await closed;
    expect(said()).toMatch(/^HTTP\/1.1 400 /);
  });
});

test.each(['something', '200-ok', '"quoted"'])('Expect: %s is 417, as all errors are', async (expected) => {
  const lines = ['PUT /x HTTP/1.1', 'host: x', `expect: ${expected}`, 'content-length: 5'];
  for (const url of [server.running.adminUrl, server.running.boot?.url]) {
    const { closed, said } = client(lines, url);
    await closed;
    const [head = '', body = ''] = said().split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1.1 417 Expectation Failed/);
    expect(head).toMatch(/^content-type: application\/problem\+json$/im);
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: 'Expectation Failed',
      status: 417,
      detail: `This server cannot do what the header Expect asks for (${expected}). Leave it out, or send "100-continue".`,
    });
  }
});
