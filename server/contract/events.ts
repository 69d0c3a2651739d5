import { createRoute, z } from '@hono/zod-openapi';
import { EVENT_KINDS } from '../core/events.ts';
import { problems, refused, repeated, time } from './route.ts';

export { EVENT_KINDS } from '../core/events.ts';

/** The event log. */

export const eventSchema = z
  .object({
    id: z.number(),
    at: time,
    kind: z.string(),
    host: z.string().nullable().openapi({ description: 'its id, which stays when it is removed' }),
    mac: z
      .string()
      .nullish()
      .openapi({ description: 'the first MAC of the host, to ask for it; null: no host, or it is gone' }),
    attempt: z.string().nullable(),
    actor: z.enum(['operator', 'host', 'server']),
    by: z.string().nullable().openapi({ description: "name of the operator's token" }),
    reason: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Event');

export type EventView = z.infer<typeof eventSchema>;

export const eventListSchema = z
  .object({
    events: z.array(eventSchema),
    next: z.number().openapi({ description: 'give it as `after` to read on' }),
    first: z.number().optional().openapi({ description: 'the oldest event that is kept' }),
  })
  .openapi('EventList');

/** Milliseconds since 1970, or a time as in RFC 3339. */
const moment = z
  .string()
  .max(40)
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text)))
  .refine(Number.isSafeInteger, 'it is milliseconds since 1970, or a time like 2026-11-25T12:00:00Z')
  .optional()
  .openapi({ type: 'string', example: '2026-11-25T12:00:00Z' });

export const eventFilterShape = {
  host: z.string().optional().openapi({ description: 'a MAC' }),
  kind: repeated(z.enum(EVENT_KINDS)),
  actor: z.enum(['operator', 'host', 'server']).optional(),
  by: z.string().max(128).optional().openapi({ description: "name of an operator's token" }),
  attempt: z.string().max(64).optional(),
  since: moment,
  until: moment,
};

export const listEvents = createRoute({
  operationId: 'listEvents',
  method: 'get',
  path: '/api/v1/events',
  summary:
    'The event log; with `Accept: text/event-stream` it goes on, with `application/x-ndjson` all that fits is sent, one event a line',
  request: {
    query: z.object({
      after: z.coerce.number().int().min(0).optional().openapi({ description: 'left out: the newest' }),
      before: z.coerce
        .number()
        .int()
        .min(1)
        .optional()
        .openapi({ description: 'only events before this one; without `after`, the newest of them' }),
      limit: z.coerce.number().int().min(1).max(1000).optional(),
      ...eventFilterShape,
    }),
  },
  responses: {
    200: {
      description: 'in the order in which they happened',
      content: {
        'application/json': { schema: eventListSchema },
        'text/event-stream': { schema: z.string() },
        'application/x-ndjson': { schema: z.string() },
      },
    },
    ...problems,
    503: refused('too many clients follow already'),
  },
});
