import { connect } from 'node:net';
import { Hono } from 'hono';
import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../../server/http/listen.ts';

/** All that the server says to these bytes until it closes the connection. */
async function said(bytes: string, app = new Hono().get('/', (c) => c.text('here'))): Promise<string> {
  const listening = await listen(app as never, { host: '127.0.0.1', port: 0 });
  onTestFinished(listening.close);
  const socket = connect(listening.port, '127.0.0.1');
  socket.write(bytes);
  let text = '';
  for await (const part of socket) text += part;
  return text;
}

test.each([
  [
    'a Host that is none',
    'GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n',
    400,
    /Host header or the address/,
  ],
  ['no HTTP', 'hello\r\n\r\n', 400, /no HTTP request/],
  ['a header without end', `GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(20_000)}\r\n\r\n`, 431, /too long/],
])('%s is refused as a problem document', async (_, bytes, status, detail) => {
  const [head = '', body = ''] = (await said(bytes)).split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toMatch(/^content-type: application\/problem\+json$/im);
  expect(JSON.parse(body)).toMatchObject({
    status,
    type: 'about:blank',
    detail: expect.stringMatching(detail),
  });
});

test('what can be read is answered', async () => {
  expect(await said('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')).toMatch(/200 OK[\s\S]*here$/);
  expect(await said('GET / HTTP/1.0\r\n\r\n')).toMatch(/200 OK[\s\S]*here$/);
});

test('what the program did not foresee is answered, too', async () => {
  const thrown = 'no Error, and nobody turns it into an answer';
  const app = new Hono().get('/', () => {
    throw thrown;
  });
  expect(await said('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', app)).toMatch(
    /^HTTP\/1.1 500 .*problem\+json.*"detail":"The server failed at this request. Try again."}$/s,
  );
});
