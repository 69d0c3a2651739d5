import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';

/** A comment line often enough that no proxy takes the silence for a dead connection. */
const HEARTBEAT_MS = 15_000;

/** Server-sent events (WHATWG HTML, 9.2): runs `write` until it ends or the client goes away. */
export function sse(
  c: Context,
  write: (stream: SSEStreamingApi, signal: AbortSignal) => Promise<void>,
): Response {
  return streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const beat = setInterval(() => void stream.write(': still here\n\n'), HEARTBEAT_MS);
    try {
      await write(stream, gone.signal);
    } finally {
      clearInterval(beat);
    }
  });
}
