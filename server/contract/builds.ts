import { createRoute, z } from '@hono/zod-openapi';
import { recipeOverrides } from './image-json.ts';
import { named } from './named.ts';
import {
  body,
  cursorParam,
  digest,
  json,
  next,
  orNull,
  problems,
  refused,
  stream,
  time,
  writeProblems,
} from './route.ts';

/** Builds, their logs, and the contexts they are made from. */

/** What Docker takes: 500 KiB. */
const MAX_SECRET_CHARACTERS = Math.ceil((500 * 1024) / 3) * 4;

const SECRET_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

const DOCKERFILE_ONLY = ['target', 'buildArguments', 'secrets'] as const;

export const newBuildSchema = z
  .strictObject({
    name: z.string().max(64),
    tag: z.string().max(128).optional(),
    context: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/, 'is the sha256 of a context that was sent')
      .optional()
      .openapi({ description: 'of PUT /api/v1/contexts; without it and `from`, images/NAME is built' }),
    dockerfile: z.string().min(1).max(1024).optional().openapi({ description: 'its name in the context' }),
    from: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}$/, 'is no name of a Docker image')
      .optional()
      .openapi({ description: 'a finished image, in Docker or in a registry' }),
    target: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, 'is no name of a stage')
      .optional(),
    buildArguments: named(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is no name for a build argument'),
      z.string().max(32_768),
    )
      .optional()
      .openapi({ description: 'not secret: Docker keeps them in the image' }),
    secrets: named(
      z.string().regex(SECRET_ID, 'is no id for a secret'),
      z.base64().max(MAX_SECRET_CHARACTERS),
    )
      .optional()
      .openapi({ description: 'base64 by id, for RUN --mount=type=secret; kept nowhere' }),
    ...recipeOverrides,
  })
  .refine(({ context, from }) => context === undefined || from === undefined, {
    message: 'context and from exclude each other',
  })
  .refine(({ context, dockerfile }) => context !== undefined || dockerfile === undefined, {
    message: 'dockerfile is a name in a context, and there is none',
  })
  .refine((order) => order.from === undefined || !DOCKERFILE_ONLY.some((key) => order[key] !== undefined), {
    message: 'an image that is taken as it is (from) has no target, build arguments or secrets',
  })
  .openapi('NewBuild');

export type NewBuild = z.input<typeof newBuildSchema>;

export const contextSchema = z.object({ digest, bytes: z.number().int() }).openapi('Context');

export const buildChecksSchema = z
  .object({
    passed: z.array(z.string()).openapi({ description: 'those that were made and found nothing' }),
    failed: z.array(
      z.object({
        check: z.string(),
        message: z.string(),
        line: z.string().openapi({ description: 'to add to the Dockerfile' }),
      }),
    ),
  })
  .openapi('BuildChecks');

export const buildSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    tag: z.string(),
    status: z
      .enum(['queued', 'running', 'succeeded', 'failed', 'interrupted'])
      .openapi({ description: 'queued: it waits until others have ended' }),
    digest: digest.nullable(),
    error: z.string().nullable(),
    checks: orNull(buildChecksSchema).optional().openapi({
      description: 'what the checks of the image found; null: the build has not come so far, or is older',
    }),
    startedAt: time.openapi({ description: 'while it is queued, when it was ordered' }),
    endedAt: time.nullable(),
  })
  .openapi('Build');

export type BuildView = z.infer<typeof buildSchema>;

export const buildListSchema = z
  .object({ builds: z.array(buildSchema), next: next.optional() })
  .openapi('BuildList');

/** Of a build that is queued: how many others must end before it begins. */
export const buildWaitSchema = z.object({ buildsBefore: z.number().int() }).openapi('BuildWait');

/** One line of a build's log, live or afterwards. */
export const buildLogEntrySchema = z
  .object({
    phase: z.string(),
    message: z.string(),
    log: z.boolean().optional().openapi({ description: 'a line that a step of the Dockerfile printed' }),
    note: z.boolean().optional(),
    stepsDone: z.number().optional(),
    stepsTotal: z.number().optional(),
    bytesDone: z.number().optional(),
    bytesTotal: z.number().optional(),
  })
  .openapi('BuildLogEntry');

export type BuildLogEntryView = z.infer<typeof buildLogEntrySchema>;

export const recipeListSchema = z
  .object({
    recipes: z.array(
      z.object({
        name: z.string(),
        kind: z
          .enum(['os', 'installer', 'tool'])
          .nullable()
          .openapi({ description: 'null: its image.json cannot be read' }),
        filesystem: z.object({ type: z.string(), bytes: z.number() }).nullable(),
      }),
    ),
  })
  .openapi('RecipeList');

export const listRecipes = createRoute({
  operationId: 'listRecipes',
  method: 'get',
  path: '/api/v1/recipes',
  summary: 'What can be built by its name alone: the folders below images/ of the server',
  responses: { 200: json(recipeListSchema, 'in the order of their names'), ...problems },
});

export const startBuild = createRoute({
  operationId: 'startBuild',
  method: 'post',
  path: '/api/v1/builds',
  request: { body: body(newBuildSchema) },
  responses: {
    202: json(buildSchema, 'it runs, or waits for its turn; follow its log'),
    ...writeProblems,
  },
});

export const listBuilds = createRoute({
  operationId: 'listBuilds',
  method: 'get',
  path: '/api/v1/builds',
  summary: 'The newest builds, in the order in which they began',
  request: {
    query: z.object({ limit: z.coerce.number().int().min(1).max(100).optional(), cursor: cursorParam }),
  },
  responses: { 200: json(buildListSchema, 'newest last; `next` leads to older ones'), ...problems },
});

export const getBuild = createRoute({
  operationId: 'getBuild',
  method: 'get',
  path: '/api/v1/builds/{id}',
  request: { params: z.object({ id: z.string() }) },
  responses: { 200: json(buildSchema, 'the build'), ...problems },
});

export const getBuildLog = createRoute({
  operationId: 'getBuildLog',
  method: 'get',
  path: '/api/v1/builds/{id}/log',
  summary:
    'The log as server-sent events: `queued` (BuildWait) while it waits, `entry` (BuildLogEntry) …, then `end` (Build)',
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({
      'last-event-id': z
        .string()
        .max(32)
        .optional()
        .openapi({ description: 'entries up to this one are left out' }),
    }),
  },
  responses: { 200: stream('until the build ends'), ...problems },
});

const contextParam = z.object({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'is sha256: and 64 hex digits'),
});

export const getContext = createRoute({
  operationId: 'getContext',
  method: 'get',
  path: '/api/v1/contexts/{digest}',
  summary: 'Whether a context is here, so that it need not be sent',
  request: { params: contextParam },
  responses: { 200: json(contextSchema, 'it is here'), ...problems },
});

export const putContext = createRoute({
  operationId: 'putContext',
  method: 'put',
  path: '/api/v1/contexts/{digest}',
  summary: 'Send a context, as a tar, for builds of the next hour',
  request: {
    params: contextParam,
    body: { content: { 'application/x-tar': { schema: z.string().openapi({ format: 'binary' }) } } },
  },
  responses: {
    201: json(contextSchema, 'it is here now'),
    ...writeProblems,
    413: refused('it is larger than this server takes'),
    503: refused('there is no room for it now'),
  },
});
