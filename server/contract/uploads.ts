import { createRoute, z } from '@hono/zod-openapi';
import { imageSchema } from './images.ts';
import { body, bytes, digest, json, problems, writeProblems } from './route.ts';

/** How an image comes from a file or from another server. */

export const newUploadSchema = z
  .strictObject({
    index: z.string().openapi({ description: 'the text of index.json, byte for byte' }),
    name: z.string().max(64),
    tag: z.string().max(128).optional(),
  })
  .openapi('NewUpload');

export const uploadProgressSchema = z
  .object({
    id: z.string(),
    digest,
    status: z.enum(['open', 'stored']),
    missingChunks: z.number().int().openapi({ description: 'how many chunks are still to be sent' }),
    missingBytes: z.number().int().openapi({ description: 'of those chunks, uncompressed' }),
    files: z
      .array(z.object({ name: z.string(), bytes: z.number(), received: z.number() }))
      .openapi({ description: 'files to send, and how far each has come' }),
  })
  .openapi('UploadProgress');

export const uploadSchema = uploadProgressSchema
  .extend({
    missing: z.array(z.string()).openapi({ description: 'chunks to send, in the order of the index' }),
  })
  .openapi('Upload');

export type UploadWire = z.infer<typeof uploadSchema>;

const UPLOAD = '/api/v1/uploads/{id}';

const uploadParam = z.object({ id: z.string() });

export const beginUpload = createRoute({
  operationId: 'beginUpload',
  method: 'post',
  path: '/api/v1/uploads',
  summary: 'Say which image is to come; the answer says what of it is missing here',
  request: { body: body(newUploadSchema) },
  responses: { 201: json(uploadSchema, 'what is missing'), ...writeProblems },
});

export const getUpload = createRoute({
  operationId: 'getUpload',
  method: 'get',
  path: UPLOAD,
  request: { params: uploadParam },
  responses: { 200: json(uploadSchema, 'what is still missing'), ...problems },
});

export const putUploadFile = createRoute({
  operationId: 'putUploadFile',
  method: 'put',
  path: `${UPLOAD}/files/{file}`,
  summary: 'A part of a file; may be repeated',
  request: {
    params: uploadParam.extend({ file: z.string() }),
    query: z.object({ offset: z.coerce.number().int().min(0).optional() }),
    body: { ...bytes('application/octet-stream'), required: true },
  },
  responses: { 200: json(uploadProgressSchema, 'how much is still missing'), ...writeProblems },
});

export const putUploadFrames = createRoute({
  operationId: 'putUploadFrames',
  method: 'put',
  path: `${UPLOAD}/frames`,
  summary:
    'Missing chunks: for each its sha256 (32 bytes), the length of its frame (4, big-endian), the frame',
  request: { params: uploadParam, body: { ...bytes('application/octet-stream'), required: true } },
  responses: { 200: json(uploadProgressSchema, 'how much is still missing'), ...writeProblems },
});

export const commitUpload = createRoute({
  operationId: 'commitUpload',
  method: 'post',
  path: `${UPLOAD}/commit`,
  summary: 'Check what was sent and make it an image',
  request: { params: uploadParam },
  responses: { 201: json(imageSchema, 'the image'), ...writeProblems },
});

export const removeUpload = createRoute({
  operationId: 'removeUpload',
  method: 'delete',
  path: UPLOAD,
  request: { params: uploadParam },
  responses: { 204: { description: 'given up' }, ...problems },
});
