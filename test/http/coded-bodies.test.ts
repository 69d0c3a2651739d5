import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Machine } from '../fixtures/machine.ts';
import { ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const zipped = gzipSync(JSON.stringify({ macs: [newMac()] }));
const digest = `sha256:${'0'.repeat(64)}`;

describe('a body with a Content-Encoding', () => {
  test.each([
    ['POST', '/api/v1/hosts', 'gzip', 'gzip'],
    ['POST', '/api/v1/hosts', 'identity, BR', 'BR'],
    ['PATCH', '/api/v1/hosts/52:54:00:00:00:01', 'zstd', 'zstd'],
    ['POST', '/api/v1/hosts/52:54:00:00:00:01/retry', 'deflate', 'deflate'],
    ['PUT', '/api/v1/hosts/52:54:00:00:00:01/os', 'gzip', 'gzip'],
    ['PUT', `/api/v1/contexts/${digest}`, 'gzip', 'gzip'],
    ['PUT', '/api/v1/uploads/x/files/kernel', 'gzip', 'gzip'],
    ['POST', '/api/v1/uploads', 'x-nonsense', 'x-nonsense'],
    ['POST', '/api/v1/session', 'gzip', 'gzip'],
  ])('%s %s, %s: 415', async (method, path, coding, named) => {
    const headers = { 'content-type': 'application/json', 'content-encoding': coding };
    const answer = await server.admin(path, { method, body: zipped, headers });
    expect([answer.status, answer.headers['accept-encoding'], answer.headers['content-type']]).toEqual([
      415,
      'identity',
      'application/problem+json',
    ]);
    expect(answer.json).toEqual({
      type: 'about:blank',
      title: 'Unsupported Media Type',
      status: 415,
      detail: `The body is encoded (${named}), and this server takes it only as it is. Send it without Content-Encoding.`,
    });
  });

  test.each(['claims', 'reports', 'inventory'])('of a host, in its %s: 415', async (path) => {
    const host = await new Machine(server).enrol();
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const { status, json } = await host.ask(path, { method: 'POST', body: zipped, headers });
    expect([status, json.detail]).toEqual([415, expect.stringContaining('(gzip)')]);
  });

  test('needs the token first', async () => {
    const headers = { authorization: 'Bearer wrong', 'content-encoding': 'gzip' };
    expect((await server.admin('/api/v1/hosts', { body: zipped, headers })).status).toBe(401);
  });

  test.each(['identity', 'IDENTITY', '', ', '])('"%s" is none', async (coding) => {
    const headers = { 'content-encoding': coding };
    const { status } = await server.admin('/api/v1/hosts', { body: { macs: [newMac()] }, headers });
    expect(status).toBe(201);
  });

  test('says nothing where there is no body', async () => {
    const headers = { 'content-encoding': 'gzip' };
    expect((await server.admin('/api/v1/hosts', { headers })).status).toBe(200);
  });
});

describe('a body with a Transfer-Encoding', () => {
  test.each(['gzip, chunked', 'deflate,chunked'])(
    '%s is refused on both planes, before the token is looked at',
    async (coding) => {
      const headers = {
        'content-type': 'application/json',
        'transfer-encoding': coding,
        authorization: 'Bearer wrong',
      };
      const how = { method: 'POST', body: zipped, headers };
      for (const answer of [
        await server.boot('/boot/hosts/52:54:00:00:00:01/reports', how),
        await ask(server.running.adminUrl, '/api/v1/hosts', how),
      ]) {
        expect([answer.status, answer.headers['content-type'], answer.headers.connection]).toEqual([
          501,
          'application/problem+json',
          'close',
        ]);
        expect(answer.json).toMatchObject({
          title: 'Not Implemented',
          detail:
            'The body is encoded on its way, and only "chunked" is known. Send no other Transfer-Encoding.',
        });
      }
    },
  );

  test.each(['chunked', 'Chunked'])('%s is read', async (coding) => {
    const headers = { 'transfer-encoding': coding };
    const { status } = await server.admin('/api/v1/hosts', { body: { macs: [newMac()] }, headers });
    expect(status).toBe(201);
  });
});
