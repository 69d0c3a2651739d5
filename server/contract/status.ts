import { createRoute, z } from '@hono/zod-openapi';
import { HOST_STATES } from '../core/host-state.ts';
import { ROLLOUT_STATUSES } from '../core/rollout.ts';
import { json, problems, time } from './route.ts';

/** What a server says of itself at one look. */

const count = z.number().int();
const HostCounts = z.object(
  Object.fromEntries(HOST_STATES.map((state) => [state, count])) as Record<
    (typeof HOST_STATES)[number],
    typeof count
  >,
);

export const statusSchema = z
  .object({
    version: z.string(),
    schema: count.openapi({ description: 'number of the newest migration in the database' }),
    startedAt: time,
    ready: z.boolean().openapi({ description: 'as /readyz says' }),
    checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string().optional() })),
    hosts: HostCounts.openapi({ description: 'by state' }),
    openAttempts: count,
    rollouts: z
      .array(
        z.object({
          id: z.string(),
          name: z.string().nullable(),
          status: z.enum(ROLLOUT_STATUSES),
          reason: z.string().openapi({ description: 'why it stands still' }),
          wave: count,
          waveCount: count,
        }),
      )
      .openapi({ description: 'those that are not over, oldest first' }),
    transfers: z.object({
      active: count.openapi({ description: 'images and disks that are being sent by HTTP' }),
      waiting: count.openapi({ description: 'hosts that were told to wait for their turn' }),
      refused: count.openapi({ description: 'how often one was told so since the start' }),
    }),
    images: z.object({
      count,
      storedBytes: count.openapi({ description: 'of all chunks on the disk' }),
      freeBytes: count.openapi({ description: 'what the filesystem of the data folder has left' }),
    }),
    boot: z
      .object({
        url: z.string(),
        tftp: z.object({ host: z.string(), port: count, transfers: count }).nullable(),
        proxyDhcp: z.object({ interfaces: z.array(z.string()), relayed: z.boolean() }).nullable(),
      })
      .nullable()
      .openapi({ description: 'null: no host can reach this server. Within it, null: off' }),
  })
  .openapi('ServerStatus');
export type StatusView = z.infer<typeof statusSchema>;

export const getStatus = createRoute({
  operationId: 'getStatus',
  method: 'get',
  path: '/api/v1/status',
  summary: 'How the server is, what it does now, and how many hosts are in which state',
  responses: { 200: json(statusSchema, 'also while it is not ready'), ...problems },
});
