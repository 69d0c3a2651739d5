import { createRoute, z } from '@hono/zod-openapi';
import { body, bytes, refused, role, writeProblems } from './route.ts';

/** A backup of the server: one tar. */

export const backupSchema = z
  .strictObject({
    images: z.boolean().optional().openapi({ description: 'the bytes of all images too; left out: no' }),
  })
  .openapi('BackupOrder');

/** `backup.json`, the first member: what it is, before anything else of it is believed. */
export const backupNoteSchema = z.object({
  format: z.literal('warmboot-backup'),
  version: z.literal(1),
  schema: z.number().int().min(1),
  product: z.string().max(64),
  madeAt: z.number().int().min(0),
  lastEvent: z.number().int().min(0),
  hosts: z.number().int().min(0),
  images: z.number().int().min(0),
  withImages: z.boolean(),
});

export const takeBackup = createRoute({
  operationId: 'takeBackup',
  method: 'post',
  path: '/api/v1/backup',
  summary: 'The database, the keys and the first token as one tar, while the server works',
  ...role('admin'),
  request: { body: body(backupSchema) },
  responses: {
    200: {
      ...bytes('application/x-tar'),
      description: '`backup.json` first, `SHA256SUMS` last; as secret as the data folder',
    },
    ...writeProblems,
    503: refused('there is no room for a copy of the database'),
  },
});
