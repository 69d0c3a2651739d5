import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { answerRange } from '../core/byte-range.ts';
import type { ByteSource } from '../core/ports.ts';
import { namesStrongly, namesWeakly } from './etag.ts';
import { problem } from './problem.ts';
import type { Refusal, Transfer } from './transfers.ts';

/** Asks for a turn to send something large. */
export type Begin = () => Promise<Transfer | Refusal>;

/** For what never changes under its address. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

/**
 * Sends a representation, or the part that `Range` asks for, with its length said first (without it a boot client can
 * show no progress and takes a broken transfer for a whole one). Writes straight to the socket's
 * response: the detour over web streams costs a third of the throughput.
 * @param begin asks for a turn once there is something to send; whoever has to wait for one is answered 503 with `Retry-After`
 */
export async function sendBytes<E extends { Bindings: HttpBindings }>(
  c: Context<E>,
  bytes: ByteSource,
  type: string,
  caching: string = IMMUTABLE,
  begin?: Begin,
): Promise<Response> {
  const { sizeBytes, etag, coding } = bytes;
  const headers = {
    etag,
    'accept-ranges': 'bytes',
    'cache-control': caching,
    'content-type': type,
    ...(coding && { 'content-encoding': coding }),
  };
  if (namesWeakly(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers);
  const ifMatch = c.req.header('if-match');
  if (ifMatch !== undefined && !namesStrongly(ifMatch, etag))
    return problem(c, 412, 'It is not what it was when it was first asked for. Ask for all of it again.');
  const ifRange = c.req.header('if-range');
  // Range is defined for GET alone (RFC 9110, 14.2): HEAD tells the length of the whole.
  const mayRange = c.req.method === 'GET' && (ifRange === undefined || ifRange === etag);
  const answer = answerRange(mayRange ? c.req.header('range') : undefined, sizeBytes);
  if (answer.kind === 'malformed')
    return problem(c, 400, 'The Range header is malformed: write bytes=FIRST-LAST (RFC 9110, 14.1.2).');
  if (answer.kind === 'unsatisfiable') {
    c.header('content-range', `bytes */${sizeBytes}`);
    return problem(c, 416, `The range lies outside of the ${sizeBytes} bytes that there are.`);
  }
  const range = answer.kind === 'part' ? answer.range : { start: 0, end: sizeBytes };
  const isEmpty = c.req.method === 'HEAD' || range.end === range.start;
  const isLast = range.end === sizeBytes;
  const turn = isEmpty ? undefined : await begin?.();
  if (turn && 'afterSeconds' in turn) {
    c.header('retry-after', String(turn.afterSeconds));
    return problem(c, 503, turn.why);
  }
  try {
    // Before the length is promised: what is gone by now can still be refused, what goes later is sent to its end.
    const held = isEmpty ? undefined : await bytes.hold?.();
    try {
      const { outgoing } = c.env;
      outgoing.statusCode = answer.kind === 'part' ? 206 : 200;
      for (const [name, value] of Object.entries(headers)) outgoing.setHeader(name, value);
      outgoing.setHeader('content-length', range.end - range.start);
      if (answer.kind === 'part')
        outgoing.setHeader('content-range', `bytes ${range.start}-${range.end - 1}/${sizeBytes}`);
      const read = (signal: AbortSignal) => (held ?? bytes).read(range, signal);
      const parts = { read, bytes: range.end - range.start, beforeLast: () => turn?.end(isLast) };
      if (isEmpty) outgoing.end();
      else await pump(outgoing as ServerResponse, c.env.incoming.socket, parts, turn?.mayGo);
    } finally {
      await held?.release();
    }
  } finally {
    turn?.end(isLast);
  }
  return RESPONSE_ALREADY_SENT;
}

type Parts = {
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** All of them together. */
  readonly bytes: number;
  /** The client has everything, and may ask for more, before this side has seen that it is sent. */
  beforeLast(): void;
};

/** Smaller parts are copied instead of waited for, so that they go out together. */
const SMALL_PART_BYTES = 16 * 1024;

/**
 * Writes until the end or until the client goes away. The next part is asked for when the kernel has all of the one before,
 * for their memory is the same; meanwhile the kernel sends what it holds. A source that fails in the middle cuts the
 * connection: the length was promised, so the client knows that the transfer is broken.
 */
async function pump(
  outgoing: ServerResponse,
  socket: Socket,
  { read, bytes, beforeLast }: Parts,
  mayGo: Transfer['mayGo'] = () => undefined,
): Promise<void> {
  const gone = new AbortController();
  let left = bytes;
  let goOn = () => {};
  const onClose = () => {
    gone.abort();
    goOn();
  };
  // The response itself is never closed when it still waits behind another of the same connection.
  socket.once('close', onClose);
  try {
    if (socket.destroyed) return;
    for await (const part of read(gone.signal)) {
      const pause = mayGo(part.length, gone.signal);
      if (pause) await pause;
      if (gone.signal.aborted) return;
      left -= part.length;
      if (left <= 0) beforeLast();
      await new Promise<void>((resolve) => {
        goOn = resolve;
        if (part.length > SMALL_PART_BYTES) outgoing.write(part, () => resolve());
        else if (outgoing.write(Uint8Array.from(part))) resolve();
        else outgoing.once('drain', resolve);
      });
    }
    outgoing.end();
  } catch (error) {
    outgoing.destroy(error instanceof Error ? error : undefined);
    if (!gone.signal.aborted) throw error;
  } finally {
    socket.off('close', onClose);
  }
}
