import { connect } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type StreamMethod, serveGrpc, type UnaryMethod } from '../../../server/build/docker/grpc.ts';
import { bytesField, fields, numberField } from '../../../server/build/docker/protobuf.ts';

test('protobuf fields are read as they were written', () => {
  const data = Buffer.concat([
    bytesField(1, Buffer.from('é')),
    numberField(2, 300),
    bytesField(16, Buffer.alloc(200, 1)),
    Buffer.from([0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4]),
    numberField(5, 0),
  ]);
  expect([...fields(data)]).toEqual([
    [1, Buffer.from('é')],
    [2, 300],
    [16, Buffer.alloc(200, 1)],
    [5, 0],
  ]);
});

/** One call by an independent client of HTTP/2: gRPC's status and message. */
async function call(path: string, message: Buffer) {
  const server = createServer((socket: Socket) => {
    serveGrpc(socket, {
      unary: new Map<string, UnaryMethod>([
        ['/a.B/Echo', (request) => request],
        ['/a.B/None', () => null],
      ]),
      streams: new Map<string, StreamMethod>([
        [
          '/a.B/Twice',
          async ({ messages, send }) => {
            for await (const message of messages) for (let i = 0; i < 2; i += 1) await send(message);
          },
        ],
        ['/a.B/Broken', () => Promise.reject(new Error('no'))],
      ]),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const client = connect(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const stream = client.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  let status: unknown;
  stream.on('response', (headers) => {
    status ??= headers['grpc-status'];
  });
  stream.on('trailers', (headers) => {
    status ??= headers['grpc-status'];
  });
  const parts: Buffer[] = [];
  try {
    for await (const part of stream) parts.push(part as Buffer);
  } catch {
    status = 'reset';
  }
  return { status, answer: Buffer.concat(parts).subarray(5).toString() };
}

test.each<[string, string, string, { status: unknown; answer: string }]>([
  ['an answer', '/a.B/Echo', 'hello', { status: '0', answer: 'hello' }],
  ['a stream', '/a.B/Twice', 'ab', { status: '0', answer: 'ab\0\0\0\0\x02ab' }],
  ['a stream that fails', '/a.B/Broken', '', { status: '13', answer: '' }],
  ['nothing there', '/a.B/None', '', { status: '5', answer: '' }],
  ['not offered', '/a.B/Other', '', { status: '12', answer: '' }],
])('%s', async (_, path, message, wanted) => {
  expect(await call(path, Buffer.from(message))).toEqual(wanted);
});

test('a request without end is not kept', async () => {
  expect((await call('/a.B/Echo', Buffer.alloc(200_000))).answer).toBe('');
});
