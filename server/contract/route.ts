import { z } from '@hono/zod-openapi';
import type { Role } from '../core/by.ts';

/** What the descriptions of all routes are made of. */

/** The wire schemas of the admin API, `/api/v1`. The server answers with them, the command line reads with them. */

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    /** One sentence: what, why, what to do. */
    detail: z.string(),
  })
  .openapi('Problem');

export const digest = z.string().openapi({ example: `sha256:${'0'.repeat(64)}` });

export const time = z.number().int().openapi({ description: 'milliseconds since 1970' });

export const imageRef = z.string().min(1).max(256).openapi({ example: 'debian-13:latest' });

/** A schema that has a name, or null. By `.nullable()` the name itself would come to mean null too, wherever else it stands. */
export const orNull = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()]);

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { 'application/json': { schema } },
  description,
});

/** The same as a stream of server-sent events, for `Accept: text/event-stream`. */
export const jsonOrStream = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { 'application/json': { schema }, 'text/event-stream': { schema: z.string() } },
  description,
});

export const stream = (description: string) => ({
  content: { 'text/event-stream': { schema: z.string() } },
  description,
});

export const refused = (description: string) => ({
  content: { 'application/problem+json': { schema: problemSchema } },
  description,
});

export const problems = {
  400: refused('the request cannot be read'),
  401: refused('the token is missing or wrong'),
  403: refused('the token is good, and its role does not allow this'),
  404: refused('there is no such thing'),
} as const;

export const writeProblems = {
  ...problems,
  409: refused('it contradicts what is already so'),
  413: refused('the body is too large'),
  422: refused('it asks for what cannot be'),
} as const;

export const body = <T extends z.ZodType>(schema: T) => ({
  content: { 'application/json': { schema } },
  required: true as const,
});

/** RFC 7396 where the type says so. */
export const patchBody = <T extends z.ZodType>(schema: T) => ({
  content: { 'application/json': { schema }, 'application/merge-patch+json': { schema } },
  required: true as const,
});

export const bytes = (type: string) => ({
  content: { [type]: { schema: z.string().openapi({ format: 'binary' }) } },
});

export const macParam = z.object({ mac: z.string().openapi({ example: '52:54:00:00:00:01' }) });

/** The condition of a change: nobody was faster. */
export const ifMatch = z.object({
  'if-match': z.string().max(1024).optional().openapi({
    description:
      'an ETag of GET, or "REVISION": the change is made only while that is the revision; * is any',
  }),
});
export const ifNoneMatch = z.object({ 'if-none-match': z.string().max(1024).optional() });

/** Of what is sent with length, ranges and a strong ETag. */
export const sent = (type: string, description: string) => ({
  200: { ...bytes(type), description },
  206: { ...bytes(type), description: 'the part that Range asks for' },
  304: { description: 'it is as the ETag in If-None-Match says' },
  412: refused('it is not as the ETag in If-Match says'),
  416: refused('the range lies outside of it'),
});

export const notModified = { 304: { description: 'it is as the ETag in If-None-Match says' } } as const;

/** Of changes that take If-Match. */
export const changeProblems = { ...writeProblems, 412: refused('it was changed meanwhile') } as const;

/** A parameter that may stand several times in the query. */
export const repeated = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (given) => (given === undefined || Array.isArray(given) ? given : [given]),
    z.array(item).optional(),
  );

export const cursorParam = z
  .string()
  .max(512)
  .optional()
  .openapi({ description: '`next` of the page before; left out: the first page' });

export const next = z
  .string()
  .nullable()
  .openapi({ description: 'cursor of the next page; null: this is the last' });

/** The least role that a token needs for a route. Left out: `viewer` for GET, `operator` for all else. */
export const role = (needed: Role) => ({ 'x-role': needed }) as const;
