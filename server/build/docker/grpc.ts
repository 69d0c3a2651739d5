import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';

/** Answers one message; null: there is no such thing (NOT_FOUND). */
export type UnaryMethod = (request: Buffer) => Buffer | null;

/** A conversation. It ends when the promise does; one that rejects ends the call with INTERNAL. */
export type StreamMethod = (call: {
  readonly headers: IncomingHttpHeaders;
  readonly messages: AsyncGenerator<Buffer>;
  /** Resolves when there is room for the next one. */
  send(message: Buffer): Promise<void>;
}) => Promise<void>;

/** Methods by path, `/package.Service/Method`. */
export interface GrpcMethods {
  readonly unary: ReadonlyMap<string, UnaryMethod>;
  readonly streams: ReadonlyMap<string, StreamMethod>;
}

/** Status codes of gRPC that are answered here. */
const OK = 0;
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;
/** Flag and length before each message. */
const PREFIX_BYTES = 5;
const MAX_MESSAGE_BYTES = 64 * 1024;

/**
 * Serves gRPC on one connection that is open already.
 * Source: gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md).
 */
export function serveGrpc(connection: Duplex, { unary, streams }: GrpcMethods): Http2Server {
  const server = createServer();
  // A connection that breaks ends the build by itself; nobody waits for an answer here.
  server.on('sessionError', () => {});
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    const path = headers[':path'] ?? '';
    const method = unary.get(path);
    const conversation = streams.get(path) ?? (method && asConversation(method));
    if (!conversation) return finish(stream, UNIMPLEMENTED);
    const call = { headers, messages: messagesOf(stream), send: (message: Buffer) => send(stream, message) };
    conversation(call).then(
      () => finish(stream, OK),
      (error: unknown) => finish(stream, error === NOTHING ? NOT_FOUND : INTERNAL),
    );
  });
  server.emit('connection', connection);
  return server;
}

const NOTHING = new Error('not found');

function asConversation(method: UnaryMethod): StreamMethod {
  return async ({ messages, send }) => {
    for await (const request of messages) {
      const answer = method(request);
      if (answer === null) throw NOTHING;
      return send(answer);
    }
  };
}

async function* messagesOf(stream: ServerHttp2Stream): AsyncGenerator<Buffer> {
  let open = Buffer.alloc(0);
  // Leaving the loop must not destroy the stream: it is still to be answered.
  for await (const part of stream.iterator({ destroyOnReturn: false })) {
    open = Buffer.concat([open, part as Buffer]);
    while (open.length >= PREFIX_BYTES) {
      const end = PREFIX_BYTES + open.readUInt32BE(1);
      if (end > MAX_MESSAGE_BYTES) throw new Error('the message is too long');
      if (open.length < end) break;
      yield open.subarray(PREFIX_BYTES, end);
      open = open.subarray(end);
    }
  }
}

async function send(stream: ServerHttp2Stream, message: Buffer): Promise<void> {
  if (stream.destroyed || stream.closed) throw new Error('the call was given up');
  begin(stream);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  if (!stream.write(Buffer.concat([prefix, message]))) await room(stream);
}

function room(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });
}

function begin(stream: ServerHttp2Stream): void {
  if (!stream.headersSent)
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
}

function finish(stream: ServerHttp2Stream, status: number): void {
  if (stream.destroyed || stream.closed) return;
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  begin(stream);
  stream.end();
}
