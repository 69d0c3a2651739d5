import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import type { AdminEnv } from './admin-app.ts';

/** A comment line often enough that no proxy takes the silence for a dead connection. */
const HEARTBEAT_MS = 15_000;

/** Server-sent events (WHATWG HTML, 9.2): runs `write` until it ends, the client goes away, or its token is no longer good. */
export function sse(
  c: Context<AdminEnv>,
  write: (stream: SSEStreamingApi, signal: AbortSignal) => Promise<void>,
): Response {
  const { over } = c.get('by');
  return streamSSE(c, async (stream) => {
    const gone = new AbortController();
    stream.onAbort(() => gone.abort());
    const beat = setInterval(() => void stream.write(': still here\n\n'), HEARTBEAT_MS);
    try {
      await write(stream, AbortSignal.any([gone.signal, over]));
    } finally {
      clearInterval(beat);
    }
  });
}
