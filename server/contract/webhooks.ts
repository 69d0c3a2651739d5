import { createRoute, z } from '@hono/zod-openapi';
import { EVENT_KINDS } from '../core/events.ts';
import { body, json, problems, role, time, writeProblems } from './route.ts';

/** Who is told of events by HTTP. */

const WEBHOOKS = '/api/v1/webhooks';
const WEBHOOK = `${WEBHOOKS}/{id}` as const;

const kinds = z
  .array(z.enum(EVENT_KINDS))
  .min(1)
  .nullable()
  .openapi({ description: 'kinds of events; null: every kind' });
const selector = z.string().min(1).max(1024).nullable().openapi({
  description: 'only events of hosts with these labels, as in `GET /api/v1/hosts`',
  example: 'rack=r1',
});
const url = z.string().max(2048).openapi({ example: 'https://chat.example.org/hooks/warmboot' });

export const webhookSchema = z
  .object({
    id: z.string(),
    url,
    kinds: z.array(z.string()).nullable(),
    selector: z.string().nullable(),
    enabled: z.boolean(),
    reason: z.string().openapi({ description: 'why it is disabled' }),
    createdAt: time,
    cursor: z
      .number()
      .openapi({ description: 'the last event that it has got, or that does not concern it' }),
    behind: z.number().openapi({ description: 'how many events of the log come after that' }),
    delivered: z.number(),
    failures: z.number().openapi({ description: 'of the present event, one after the other' }),
    nextAt: time.nullable().openapi({ description: 'when it is tried again' }),
    last: z
      .object({ at: time, status: z.number().nullable(), error: z.string().nullable() })
      .nullable()
      .openapi({ description: 'the last try' }),
    lost: z.number().openapi({ description: 'events that were removed from the log before it got them' }),
  })
  .openapi('Webhook');
export type WebhookView = z.infer<typeof webhookSchema>;

export const webhookListSchema = z.object({ webhooks: z.array(webhookSchema) }).openapi('WebhookList');

export const newWebhookSchema = z
  .strictObject({
    url,
    kinds: kinds.optional(),
    selector: selector.optional(),
    enabled: z.boolean().optional(),
    after: z.number().int().min(0).optional().openapi({
      description: 'begin after this event; left out, with what comes',
    }),
  })
  .openapi('NewWebhook');

export const madeWebhookSchema = webhookSchema
  .extend({ secret: z.string().openapi({ description: 'signs what is sent; nobody can see it again' }) })
  .openapi('MadeWebhook');

export const webhookChangesSchema = newWebhookSchema
  .omit({ after: true })
  .partial()
  .openapi('WebhookChanges');

export const webhookTestSchema = z
  .object({
    isTaken: z.boolean(),
    status: z.number().nullable(),
    error: z.string().nullable(),
    tookMs: z.number(),
  })
  .openapi('WebhookTest');

const params = z.object({ id: z.string() });

export const listWebhooks = createRoute({
  operationId: 'listWebhooks',
  method: 'get',
  path: WEBHOOKS,
  ...role('admin'),
  responses: { 200: json(webhookListSchema, 'in the order in which they were added'), ...problems },
});
export const addWebhook = createRoute({
  operationId: 'addWebhook',
  method: 'post',
  path: WEBHOOKS,
  summary: 'Tell somebody of events; the answer is the only place where the secret can be read',
  ...role('admin'),
  request: { body: body(newWebhookSchema) },
  responses: { 201: json(madeWebhookSchema, 'the webhook'), ...writeProblems },
});
export const getWebhook = createRoute({
  operationId: 'getWebhook',
  method: 'get',
  path: WEBHOOK,
  ...role('admin'),
  request: { params },
  responses: { 200: json(webhookSchema, 'the webhook'), ...problems },
});
export const changeWebhook = createRoute({
  operationId: 'changeWebhook',
  method: 'patch',
  path: WEBHOOK,
  summary: 'Change it, and try at once what failed',
  ...role('admin'),
  request: { params, body: body(webhookChangesSchema) },
  responses: { 200: json(webhookSchema, 'the webhook as it is now'), ...writeProblems },
});
export const removeWebhook = createRoute({
  operationId: 'removeWebhook',
  method: 'delete',
  path: WEBHOOK,
  ...role('admin'),
  request: { params },
  responses: { 204: { description: 'removed' }, ...problems },
});
export const testWebhook = createRoute({
  operationId: 'testWebhook',
  method: 'post',
  path: `${WEBHOOK}/test`,
  summary: 'Send one message of type `test` now',
  ...role('admin'),
  request: { params },
  responses: { 200: json(webhookTestSchema, 'what came of it'), ...problems },
});
