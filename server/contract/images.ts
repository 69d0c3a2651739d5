import { createRoute, z } from '@hono/zod-openapi';
import { PARTS } from '../core/image-layers.ts';
import {
  cursorParam,
  digest,
  json,
  jsonOrStream,
  next,
  problems,
  refused,
  sent,
  time,
  writeProblems,
} from './route.ts';

/** The image store, and whole disks made of it. */

export const imageSchema = z
  .object({
    digest,
    kind: z.enum(['os', 'installer']),
    tags: z.array(z.string()).openapi({ example: ['debian-13:latest'] }),
    os: z.string(),
    kernel: z.string(),
    filesystemBytes: z.number().nullable(),
    dataBytes: z.number().openapi({ description: 'compressed size: what a host without any of it fetches' }),
    chunks: z.number(),
    damaged: z
      .boolean()
      .openapi({ description: 'a check found damage; build, import or push the image again' }),
    createdAt: time,
    hosts: z
      .object({ assigned: z.number().int(), running: z.number().int() })
      .optional()
      .openapi({ description: 'how many hosts shall run it, and how many do; left out where it just came' }),
  })
  .openapi('Image');

export type ImageView = z.infer<typeof imageSchema>;

export const layerSchema = z
  .object({
    madeBy: z.string().nullable().openapi({ description: 'the instruction, as far as Docker knows' }),
    files: z.number().int().openapi({ description: 'of the image, those that it brought' }),
    contentBytes: z.number().openapi({ description: 'their content on the partition, in whole blocks' }),
    offset: z
      .number()
      .nullable()
      .openapi({ description: 'where it begins on the partition; null: it brought no content' }),
    bytes: z.number().openapi({ description: 'of the chunks from there to the next layer' }),
  })
  .openapi('Layer');

/** One image, with how it was made. */
export const imageDetailSchema = imageSchema
  .extend({
    filesystem: z.string().nullable().optional().openapi({ description: 'ext4 or xfs' }),
    append: z.string().optional().openapi({ description: 'kernel arguments of its own' }),
    layers: z.array(layerSchema).nullish().openapi({
      description:
        'base first; null: not recorded, as of an image that came as a file or from another server',
    }),
    bytesBefore: z
      .number()
      .optional()
      .openapi({ description: 'of the chunks before the first layer: the filesystem itself' }),
  })
  .openapi('ImageDetail');

export type ImageDetailView = z.infer<typeof imageDetailSchema>;

export const sharedSchema = z
  .object({
    digest,
    contentBytes: z.number().openapi({ description: 'of all its chunks, uncompressed' }),
    images: z
      .array(
        z.object({
          digest,
          tags: z.array(z.string()),
          chunks: z.number().int().openapi({ description: 'different chunks that both have' }),
          dataBytes: z.number().openapi({ description: 'their length as hosts fetch them' }),
          bytes: z.number().openapi({ description: 'uncompressed' }),
          layerBytes: z
            .array(z.number())
            .nullable()
            .openapi({ description: 'of those, in each of the layers; null where they are not recorded' }),
          parts: z.array(z.number().int()).openapi({
            description: `how much is shared, 0 to 100, of each of ${PARTS} equal parts of the content, in the order of the partition`,
          }),
        }),
      )
      .openapi({ description: 'other images with chunks of it, those with most first' }),
  })
  .openapi('Shared');

export type SharedView = z.infer<typeof sharedSchema>;

export const imageListSchema = z
  .object({ images: z.array(imageSchema), next: next.optional() })
  .openapi('ImageList');

export const removedImageSchema = z
  .object({
    digest,
    tagsRemoved: z.number(),
    isGone: z.boolean().openapi({ description: 'false while a tag, a slot, a build or an upload needs it' }),
    freedBytes: z.number(),
    keptFor: z.array(z.string()).openapi({ description: 'hosts that hold it, by MAC' }),
  })
  .openapi('RemovedImage');

export const storeCheckProgressSchema = z
  .object({ chunks: z.number(), bytesDone: z.number(), bytesTotal: z.number() })
  .openapi('StoreCheckProgress');

export const storeCheckSchema = z
  .object({
    images: z.number(),
    chunks: z.number(),
    bytes: z.number(),
    damage: z.array(z.object({ what: z.string(), images: z.array(digest) })),
    affected: z.array(digest).openapi({ description: 'every damaged image, once' }),
  })
  .openapi('StoreCheck');

export type StoreCheckView = z.infer<typeof storeCheckSchema>;

const imageParam = z.object({ image: z.string().openapi({ description: 'digest, or NAME[:TAG]' }) });

/** At most, and where nobody says how many. */
export const IMAGES_ON_A_PAGE = 1000;

export const listImages = createRoute({
  operationId: 'listImages',
  method: 'get',
  path: '/api/v1/images',
  request: {
    query: z.object({
      limit: z.coerce.number().int().min(1).max(IMAGES_ON_A_PAGE).optional(),
      cursor: cursorParam,
    }),
  },
  responses: { 200: json(imageListSchema, 'oldest first'), ...problems },
});

export const getImage = createRoute({
  operationId: 'getImage',
  method: 'get',
  path: '/api/v1/images/{image}',
  request: { params: imageParam },
  responses: { 200: json(imageDetailSchema, 'the image'), ...problems },
});

export const getShared = createRoute({
  operationId: 'getShared',
  method: 'get',
  path: '/api/v1/images/{image}/shared',
  summary: 'What other images have of it: so much need not be fetched by a host that has one of them',
  request: { params: imageParam },
  responses: {
    200: json(sharedSchema, 'what is shared'),
    ...problems,
    503: refused('its index is damaged'),
  },
});

export const removeImage = createRoute({
  operationId: 'removeImage',
  method: 'delete',
  path: '/api/v1/images/{image}',
  summary: 'Take a tag away, or with a digest all its tags; an image that nobody needs is removed',
  request: { params: imageParam },
  responses: { 200: json(removedImageSchema, 'what came of it'), ...writeProblems },
});

export const exportImage = createRoute({
  operationId: 'exportImage',
  method: 'get',
  path: '/api/v1/images/{image}/archive',
  summary: 'The image as one tar; takes Range',
  request: { params: imageParam },
  responses: {
    ...sent('application/x-tar', 'the archive'),
    ...problems,
    503: refused('the image is damaged'),
  },
});

export const checkStore = createRoute({
  operationId: 'checkStore',
  method: 'post',
  path: '/api/v1/store/verify',
  summary: 'Read all that is stored; with `Accept: text/event-stream` it tells how far it is',
  responses: { 200: jsonOrStream(storeCheckSchema, 'what was found'), ...writeProblems },
});

export const getDisk = createRoute({
  operationId: 'getDisk',
  method: 'get',
  path: '/api/v1/disks/{file}',
  summary: 'A whole bootable disk, composed while it is sent; the same bytes as /boot/disks/{file}',
  request: {
    params: z.object({ file: z.string().openapi({ description: 'LAYOUT.img, or LAYOUT.img.zst' }) }),
    query: z.object({
      // Needed, and refused in the words of the boot plane where it is missing.
      a: z.string().optional().openapi({ description: 'image of slot a, needed: digest, or NAME[:TAG]' }),
      b: z.string().optional().openapi({ description: 'and so on, up to h' }),
      sector: z.string().optional().openapi({ description: '512 or 4096' }),
      seed: z
        .string()
        .optional()
        .openapi({ description: 'disks with different seeds differ in their GUIDs' }),
    }),
  },
  responses: {
    ...sent('application/octet-stream', 'the disk'),
    ...writeProblems,
  },
});
