import { createRoute, z } from '@hono/zod-openapi';
import { parseSelector } from '../core/selector.ts';
import { body, json, problems, refused, role, writeProblems } from './route.ts';

/** Mirrors on the wire: which hosts ask where for images before they ask the server. */

const mirrorSchema = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/, 'is no name for a mirror'),
    selector: z
      .string()
      .max(1024)
      .refine((text) => !('refused' in parseSelector(text)), 'is no label selector like site=fra')
      .openapi({
        description: 'of labels, as in Kubernetes; an empty one fits every host',
        example: 'site=fra',
      }),
    url: z
      .string()
      .max(256)
      // What a shell and curl take as it is: no query, no user, nothing to be quoted.
      .regex(
        /^https?:\/\/[A-Za-z0-9._~:[\]-]+(\/[A-Za-z0-9._~-]+)*$/,
        'is no address like http://10.1.0.1:8080',
      )
      .refine((text) => URL.canParse(text), 'is no address like http://10.1.0.1:8080')
      .openapi({ example: 'http://10.1.0.1:8080' }),
  })
  .openapi('Mirror');

export const mirrorsSchema = z
  .strictObject({
    mirrors: z
      .array(mirrorSchema)
      .max(1000)
      .refine((mirrors) => new Set(mirrors.map(({ name }) => name)).size === mirrors.length, {
        message: 'two of them have one name',
      })
      .openapi({ description: 'the first that fits a host counts' }),
  })
  .openapi('Mirrors');

export const getMirrors = createRoute({
  method: 'get',
  path: '/api/v1/mirrors',
  summary: 'Where hosts ask for images before they ask this server, with an ETag',
  responses: { 200: json(mirrorsSchema, 'the mirrors'), ...problems },
});

export const putMirrors = createRoute({
  ...role('admin'),
  method: 'put',
  path: '/api/v1/mirrors',
  summary: 'Set the mirrors; If-Match names the edition that they replace',
  request: {
    headers: z.object({ 'if-match': z.string().optional().openapi({ description: 'needed' }) }),
    body: body(mirrorsSchema),
  },
  responses: {
    200: json(mirrorsSchema, 'the mirrors as they are now'),
    ...writeProblems,
    412: refused('they were changed meanwhile'),
    428: refused('If-Match is missing'),
  },
});
