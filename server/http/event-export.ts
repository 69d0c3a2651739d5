import type { Context } from 'hono';
import type { EventFilter } from '../core/event-port.ts';
import type { EventUseCases } from '../core/use-cases.ts';
import type { AdminEnv } from './admin-app.ts';
import { liveWriter } from './live-writer.ts';
import { eventView } from './views.ts';

const PAGE = 500;
/** A file that is written to a slow disk, or through a pager. */
const STALL_MS = 5 * 60_000;

/**
 * Every event that fits, from `afterId` to the end as it is now, one JSON object a line. An answer that breaks off ends without its
 * last chunk (RFC 9112, 8): nobody takes it for a whole one.
 */
export async function exportEvents(
  c: Context<AdminEnv>,
  { events, stopping }: { events: EventUseCases; stopping: AbortSignal },
  filter: EventFilter,
  after: number,
): Promise<void> {
  const { last } = await events.bounds();
  const out = liveWriter(c, 'application/x-ndjson', stopping, STALL_MS);
  try {
    for (let afterId = after; afterId < last; ) {
      const page = await events.list({ ...filter, afterId, limit: PAGE });
      const lines = page
        .filter(({ id }) => id <= last)
        .map((event) => `${JSON.stringify(eventView(event))}\n`);
      if (!(await out.write(lines))) return out.destroy();
      if (page.length < PAGE) break;
      afterId = page.at(-1)?.id ?? last;
    }
    out.end();
  } catch (error) {
    out.destroy();
    throw error;
  }
}
