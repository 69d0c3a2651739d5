import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import * as routes from '../contract/events.ts';
import { WarmbootError } from '../core/errors.ts';
import type { EventFeed, EventUseCases } from '../core/use-cases.ts';
import type { AdminApp } from './admin-app.ts';
import { exportEvents } from './event-export.ts';
import { streamEvents } from './event-stream.ts';
import { lastEventId } from './last-event-id.ts';
import { eventView } from './views.ts';

/** Each holds a connection for as long as it likes: half of those that there may be are left to others. */
export const MOST_FOLLOWERS = 1_000;

/** The event log, as pages, as a file, or as a stream that goes on. */
export function addEventRoutes(
  app: AdminApp,
  plane: { readonly events: EventUseCases; readonly feed: EventFeed; readonly stopping: AbortSignal },
): void {
  const { events } = plane;
  let followers = 0;

  app.openapi(routes.listEvents, async (c) => {
    const { after, before, limit = 100, host, kind, ...rest } = c.req.valid('query');
    const filter = await events.filterOf({ ...rest, mac: host, kinds: kind });
    const accept = c.req.header('accept') ?? '';
    if (accept.includes('text/event-stream')) {
      if (followers >= MOST_FOLLOWERS)
        throw new WarmbootError(
          'unavailable',
          `${followers} clients follow the events already. Try again later.`,
        );
      const follow = lastEventId(c) ?? after ?? 0;
      const bounds = await events.bounds();
      followers += 1;
      await streamEvents(c, { ...plane, bounds }, filter, follow).finally(() => {
        followers -= 1;
      });
      return RESPONSE_ALREADY_SENT as never;
    }
    if (accept.includes('application/x-ndjson')) {
      await exportEvents(c, plane, filter, after ?? 0);
      return RESPONSE_ALREADY_SENT as never;
    }
    const found = await events.list({
      ...filter,
      limit,
      beforeId: before,
      ...(after === undefined ? { newest: true } : { afterId: after }),
    });
    const { first } = await events.bounds();
    return c.json({ events: found.map(eventView), next: found.at(-1)?.id ?? after ?? 0, first }, 200);
  });
}
