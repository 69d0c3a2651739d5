import { createRoute, z } from '@hono/zod-openapi';
import { body, json, problems, role, time, writeProblems } from './route.ts';

/** The keys that sign manifests: each follows another. */

const KEYS = '/api/v1/keys';

export const keySchema = z
  .object({
    id: z.string().openapi({ description: 'the first 16 hex digits of the sha256 of `publicPem`' }),
    publicPem: z.string(),
    state: z.enum(['announced', 'active', 'retiring', 'dropped']),
    createdAt: time,
    since: time.openapi({ description: 'when it came into its state' }),
    switchAt: time.nullable().openapi({ description: 'when an announced one signs' }),
    dependents: z.number().int().openapi({ description: 'hosts that can verify nothing but what it signs' }),
    hosts: z.array(z.string()).openapi({ description: 'MACs of the first 100 of them' }),
  })
  .openapi('ManifestKey');
export type KeyWire = z.infer<typeof keySchema>;

export const keyListSchema = z.object({ keys: z.array(keySchema) }).openapi('ManifestKeyList');

export const rotationSchema = z
  .strictObject({
    overlapSeconds: z
      .number()
      .int()
      .min(0)
      .max(366 * 86_400)
      .optional()
      .openapi({ description: 'how long both keys count before the new one signs; left out: 7 days' }),
  })
  .openapi('KeyRotation');

export const listKeys = createRoute({
  operationId: 'listKeys',
  method: 'get',
  path: KEYS,
  summary: 'The keys that sign manifests, and how many hosts need each',
  ...role('admin'),
  responses: { 200: json(keyListSchema, 'the oldest first'), ...problems },
});
export const rotateKey = createRoute({
  operationId: 'rotateKey',
  method: 'post',
  path: KEYS,
  summary: 'Make a key and announce it under the active one, which it follows',
  ...role('admin'),
  request: { body: body(rotationSchema) },
  responses: { 201: json(keySchema, 'the new key'), ...writeProblems },
});
export const dropKey = createRoute({
  operationId: 'dropKey',
  method: 'delete',
  path: `${KEYS}/{id}`,
  summary: 'Destroy a key that does not sign',
  ...role('admin'),
  request: {
    params: z.object({ id: z.string() }),
    query: z.object({
      force: z
        .enum(['true', 'false'])
        .optional()
        .openapi({ description: 'though hosts need it: they must be installed again' }),
    }),
  },
  responses: { 204: { description: 'destroyed' }, ...writeProblems },
});
