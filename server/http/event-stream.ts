import type { Context } from 'hono';
import type { EventFilter, LogBounds } from '../core/event-port.ts';
import type { Event } from '../core/events.ts';
import type { EventFeed } from '../core/use-cases.ts';
import type { AdminEnv } from './admin-app.ts';
import { type LiveWriter, liveWriter } from './live-writer.ts';
import { eventView } from './views.ts';

/** A comment line often enough that no proxy takes the silence for a dead connection. */
const HEARTBEAT_MS = 15_000;
/** A client that takes nothing for so long is let go; it comes again with the id of the last event that it has. */
const STALL_MS = 30_000;
/** How long such a client may take to read why. */
const FAREWELL_MS = 5_000;
const SLOW =
  'retry: 5000\nevent: cut\ndata: {"reason":"Events were not read for 30 seconds. Connect again with Last-Event-ID to go on."}\n\n';

/** @param follow where to begin: after this event */
export async function streamEvents(
  c: Context<AdminEnv>,
  { feed, bounds, stopping }: { feed: EventFeed; bounds: LogBounds; stopping: AbortSignal },
  filter: EventFilter,
  follow: number,
): Promise<void> {
  const out = liveWriter(c, 'text/event-stream', stopping, STALL_MS);
  const beat = setInterval(() => out.mention(': still here\n\n'), HEARTBEAT_MS);
  try {
    const missing = gap(bounds, follow);
    let after = missing ? missing.next - 1 : follow;
    let isTaken = missing === null || (await out.write([gapFrame(missing)]));
    while (isTaken && !out.signal.aborted) {
      const { events, upTo } = await feed.next(filter, after, out.signal);
      after = upTo;
      isTaken = await out.write(events.map(frameOf));
    }
    if (!isTaken && !out.signal.aborted) farewell(out);
    else out.end();
  } finally {
    clearInterval(beat);
  }
}

function farewell(out: LiveWriter): void {
  out.end(SLOW);
  setTimeout(out.destroy, FAREWELL_MS).unref();
}

const frames = new WeakMap<Event, string>();

/** Made once for all who follow. */
function frameOf(event: Event): string {
  const known = frames.get(event);
  if (known !== undefined) return known;
  const frame = `id: ${event.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(eventView(event))}\n\n`;
  frames.set(event, frame);
  return frame;
}

/** Events that a client asks for and that this log does not have. */
type Gap = { readonly after: number; readonly next: number; readonly reason: string };

/** @param after the last event that the client has; 0: none, so it misses none */
export function gap({ first, last }: LogBounds, after: number): Gap | null {
  if (after > last)
    return { after, next: last + 1, reason: `the log ends at ${last}: it was restored from a backup` };
  if (after > 0 && after < first - 1)
    return { after, next: first, reason: `events before ${first} were removed, as the server was told` };
  return null;
}

function gapFrame(missing: Gap): string {
  return `id: ${missing.next - 1}\nevent: gap\ndata: ${JSON.stringify(missing)}\n\n`;
}
