import { createRoute, z } from '@hono/zod-openapi';
import { MOST_FILE_BYTES, MOST_FILES } from '../core/file-set.ts';
import {
  bytes,
  changeProblems,
  ifMatch,
  ifNoneMatch,
  json,
  macParam,
  notModified,
  problems,
  role,
  sent,
} from './route.ts';

/** Files of single hosts. What is in them is for administrators and for the host itself. */

/** A larger body is not read. */
export const MOST_SENT_BYTES = MOST_FILE_BYTES;

const FILES = '/api/v1/hosts/{mac}/files' as const;
/** With the slashes of the path in it, as they are or encoded; in the OpenAPI file it is a name like others. */
const FILE = `${FILES}/{path}{.+}` as `${typeof FILES}/{path}`;

const sha256 = z.string().openapi({ example: '0'.repeat(64) });

export const hostFileSchema = z
  .object({
    path: z.string(),
    mode: z.string().openapi({ example: '0644' }),
    owner: z.string().openapi({ description: 'USER, or USER:GROUP where they have different names' }),
    bytes: z.number().int(),
    sha256,
  })
  .openapi('HostFile');
export type HostFileView = z.infer<typeof hostFileSchema>;

export const hostFileListSchema = z
  .object({
    files: z.array(hostFileSchema),
    set: z
      .object({ sha256, bytes: z.number().int() })
      .nullable()
      .openapi({ description: 'the tar in which the host gets them; null: it has none' }),
    revision: z.number().int().openapi({ description: 'of the host' }),
  })
  .openapi('HostFileList');

const fileParam = macParam.extend({
  path: z.string().openapi({ example: 'etc/motd', description: 'from the root, without a slash before it' }),
});

export const listHostFiles = createRoute({
  operationId: 'listHostFiles',
  method: 'get',
  path: FILES,
  summary: 'The files that the host has of its own, without what is in them',
  request: { params: macParam, headers: ifNoneMatch },
  responses: { 200: json(hostFileListSchema, 'by path'), ...notModified, ...problems },
});

export const getHostFile = createRoute({
  operationId: 'getHostFile',
  method: 'get',
  path: FILE,
  summary: 'What is in a file of the host',
  ...role('admin'),
  request: { params: fileParam, headers: ifNoneMatch },
  responses: { ...sent('application/octet-stream', 'the file'), ...problems },
});

export const putHostFile = createRoute({
  operationId: 'putHostFile',
  method: 'put',
  path: FILE,
  summary: `Give the host a file, or put this one in its place: ${MOST_FILES} at most, ${MOST_FILE_BYTES} bytes together. It is there after the next switch or install`,
  request: {
    params: fileParam,
    query: z.object({
      mode: z
        .string()
        .max(16)
        .optional()
        .openapi({ description: 'three octal digits; left out: as it is, or 0644' }),
      owner: z
        .string()
        .max(128)
        .optional()
        .openapi({ description: 'USER or USER:GROUP, names of the host; left out: as it is, or root' }),
    }),
    headers: ifMatch,
    body: { ...bytes('application/octet-stream'), required: true },
  },
  responses: {
    200: json(hostFileSchema, 'the file was there before'),
    201: json(hostFileSchema, 'the file is new'),
    ...changeProblems,
  },
});

export const removeHostFile = createRoute({
  operationId: 'removeHostFile',
  method: 'delete',
  path: FILE,
  summary: 'Take a file away from the host: it is gone after the next switch or install',
  request: { params: fileParam, headers: ifMatch },
  responses: { 204: { description: 'removed' }, ...changeProblems },
});
