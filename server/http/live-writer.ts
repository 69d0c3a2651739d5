import type { ServerResponse } from 'node:http';
import type { Context } from 'hono';
import type { AdminEnv } from './admin-app.ts';

/** How much is handed to the socket at once. */
const MOST_CHARACTERS = 64 * 1024;

/** An answer of unknown length, written as the client takes it. */
export type LiveWriter = {
  /** Aborted when the client is gone, its token has ended, or the server stops. */
  readonly signal: AbortSignal;
  /**
   * Writes pieces, waiting for a client that does not keep up.
   * @returns false when the client is gone, or took nothing for `stallMs`
   */
  write(pieces: readonly string[]): Promise<boolean>;
  /** Says something without waiting; left out for a client that has not taken the last of it. */
  mention(text: string): void;
  end(text?: string): void;
  /** Breaks the answer off, so that nobody takes it for a whole one. */
  destroy(): void;
};

/** Writes straight to the response: what a slow client has not taken stays bounded, and one that is served costs little. */
export function liveWriter(
  c: Context<AdminEnv>,
  type: string,
  stopping: AbortSignal,
  stallMs: number,
): LiveWriter {
  const outgoing = c.env.outgoing as ServerResponse;
  const { socket } = c.env.incoming;
  const gone = new AbortController();
  const onGone = () => gone.abort();
  socket.once('close', onGone);
  if (socket.destroyed) gone.abort();
  outgoing.once('finish', () => socket.off('close', onGone));
  outgoing.writeHead(200, { 'content-type': type, 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  outgoing.flushHeaders();
  const signal = AbortSignal.any([gone.signal, stopping, c.get('by').over]);

  function room(): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (hasRoom: boolean) => () => {
        clearTimeout(timer);
        outgoing.off('drain', onDrain);
        signal.removeEventListener('abort', onEnd);
        resolve(hasRoom);
      };
      const [onDrain, onEnd] = [settle(true), settle(false)];
      const timer = setTimeout(onEnd, stallMs);
      outgoing.on('drain', onDrain);
      signal.addEventListener('abort', onEnd);
      if (signal.aborted) onEnd();
    });
  }

  return {
    signal,
    async write(pieces) {
      for (let at = 0; at < pieces.length; ) {
        let text = '';
        while (at < pieces.length && (text === '' || text.length < MOST_CHARACTERS)) text += pieces[at++];
        if (signal.aborted) return false;
        if (!outgoing.write(text) && !(await room())) return false;
      }
      return !signal.aborted;
    },
    mention: (text) => {
      if (!outgoing.writableNeedDrain && !signal.aborted) outgoing.write(text);
    },
    end: (text = '') => void outgoing.end(text),
    destroy: () => void outgoing.destroy(),
  };
}
