import { createRoute, z } from '@hono/zod-openapi';
import { TABLES } from '../core/disk-layout.ts';
import { json, problems } from './route.ts';

/** Disk layouts on the wire: which there are, and what lies where on a disk. */

export const layoutSchema = z
  .object({
    name: z.string(),
    table: z.enum(TABLES),
    leastDiskBytes: z.number().int().openapi({ description: 'of the smallest disk that it fits on' }),
    partitions: z
      .array(
        z.object({
          name: z.string().openapi({ description: 'boot, state, bios, data, or the letter of a slot' }),
          bytes: z.number().int().nullable().openapi({ description: 'null: the rest of the disk' }),
        }),
      )
      .openapi({ description: 'in the order in which they lie on the disk' }),
  })
  .openapi('DiskLayout');
export type LayoutView = z.infer<typeof layoutSchema>;

export const layoutListSchema = z.object({ layouts: z.array(layoutSchema) }).openapi('DiskLayoutList');

export const listLayouts = createRoute({
  operationId: 'listLayouts',
  method: 'get',
  path: '/api/v1/layouts',
  summary: 'The disk layouts that hosts can be given',
  responses: { 200: json(layoutListSchema, 'by name'), ...problems },
});
