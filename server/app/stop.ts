import type { Logger } from '../core/ports.ts';
import type { Listening } from '../http/listen.ts';
import type { TftpService } from '../tftp/server.ts';

/** What is running when a server is told to stop. */
export type Running = {
  /** What hosts fetch from, with TLS and without. */
  readonly boot: readonly Pick<Listening, 'drain'>[];
  readonly tftp: Pick<TftpService, 'drain'> | null;
  /** It goes on to say that it is not ready, until all else has ended. */
  readonly admin: Pick<Listening, 'quiet' | 'drain'>;
};

/**
 * Lets what is being sent end, for so long; what has not ended by then is cut. Long polls, streams and builds were ended before:
 * they would not end by themselves.
 */
export async function letEnd(
  { boot, tftp, admin }: Running,
  timeoutMs: number,
  logger: Pick<Logger, 'info' | 'warn'>,
): Promise<void> {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), timeoutMs);
  try {
    const counts = await Promise.all([
      ...boot.map((plane) => plane.drain(over.signal)),
      tftp?.drain(over.signal) ?? 0,
      admin.quiet(over.signal),
    ]);
    const cut = counts.reduce((sum, count) => sum + count, 0);
    if (cut > 0) logger.warn({ cut, timeoutMs }, 'stopped before everything was sent');
    else logger.info({}, 'everything that was being sent has ended');
    // What has come meanwhile was refused: a moment for those words to arrive.
    if (cut > 0) over.abort();
    await admin.drain(over.signal);
  } finally {
    clearTimeout(timer);
  }
}
