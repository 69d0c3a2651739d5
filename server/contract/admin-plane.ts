import { z } from '@hono/zod-openapi';
import { HOST_STATES } from '../core/host-state.ts';
import { recipeOverrides } from './image-json.ts';
import { keptInventorySchema } from './inventory.ts';

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

const digest = z.string().openapi({ example: `sha256:${'0'.repeat(64)}` });
const time = z.number().int().openapi({ description: 'milliseconds since 1970' });
const labels = z.record(z.string().min(1).max(63), z.string().max(63));
const imageRef = z.string().min(1).max(256).openapi({ example: 'debian-13:latest' });

const hostFields = {
  layout: z.string().max(64).optional(),
  disk: z
    .string()
    .max(160)
    .optional()
    .openapi({ description: 'smallest, first-empty, serial=…, wwn=…, path=/dev/…' }),
  labels: labels.optional(),
  append: z
    .string()
    .max(1024)
    .optional()
    .openapi({ description: "kernel arguments of this host, after the image's" }),
  switch: z.enum(['kexec', 'reboot']).optional(),
};

export const newHostSchema = z
  .strictObject({
    macs: z.array(z.string().max(64)).min(1).max(16),
    image: imageRef.optional(),
    wipe: z.boolean().optional().openapi({ description: 'the first install may overwrite foreign data' }),
    ...hostFields,
  })
  .openapi('NewHost');

export const approvalSchema = z
  .strictObject({
    image: imageRef.optional(),
    wipe: z.boolean().optional().openapi({ description: 'the first install may overwrite foreign data' }),
    ...hostFields,
  })
  .openapi('Approval');

export const ignoredSchema = z.strictObject({ ignored: z.boolean() }).openapi('Ignored');

export const hostChangesSchema = z.strictObject(hostFields).openapi('HostChanges');

export const reassignSchema = z
  .strictObject({
    image: imageRef,
    fresh: z.boolean().optional().openapi({ description: 'write the slot anew even if one holds the image' }),
  })
  .openapi('Reassign');

export const reinstallSchema = z.strictObject({ wipe: z.boolean().optional() }).openapi('Reinstall');

export const attemptSchema = z
  .object({
    id: z.string(),
    kind: z.enum(['install', 'switch']),
    digest,
    image: z.string(),
    cause: z.string(),
    phase: z.string(),
    progress: z.object({ phase: z.string(), bytesDone: z.number(), bytesTotal: z.number() }).nullable(),
    outcome: z.enum(['succeeded', 'failed', 'rolled-back', 'superseded']).nullable(),
    reason: z.string(),
    createdAt: time,
    phaseAt: time,
    deadline: time.nullable(),
    endedAt: time.nullable(),
  })
  .openapi('Attempt');

export const observationSchema = z
  .object({
    bootId: z.string(),
    seq: z.number(),
    environment: z.enum(['installer', 'os']),
    slot: z.string().nullable(),
    digest: digest.nullable(),
    default: z.string().nullable(),
    slots: z.record(z.string(), z.object({ state: z.string(), digest: digest.nullable() })),
    disk: z.string().nullable(),
    trial: z.boolean(),
    at: time,
  })
  .openapi('Observation');

export const hostSchema = z
  .object({
    id: z.string(),
    mac: z.string(),
    macs: z.array(z.string()),
    state: z.enum(HOST_STATES),
    enrolment: z.enum(['discovered', 'ignored', 'approved', 'retired']),
    image: z.object({ ref: z.string(), digest }).nullable(),
    layout: z.string(),
    disk: z.string(),
    labels,
    append: z.string(),
    switch: z.enum(['kexec', 'reboot']),
    claimed: z.boolean(),
    serial: z.number(),
    attempt: attemptSchema.nullable(),
    observation: observationSchema.nullable(),
    next: z.object({ action: z.string(), reason: z.string(), slot: z.string().nullable() }),
    lastSeen: time.nullable(),
    createdAt: time,
  })
  .openapi('Host');
export type HostView = z.infer<typeof hostSchema>;

/** One host, with what it said of itself. */
export const hostDetailSchema = hostSchema
  .extend({
    inventory: keptInventorySchema.nullish().openapi({ description: 'null until it has said what it is' }),
  })
  .openapi('HostDetail');

export const hostListSchema = z.object({ hosts: z.array(hostSchema) }).openapi('HostList');

export const reassignedSchema = z
  .object({
    attempt: z.string().nullable().openapi({ description: 'null: the host runs the image already' }),
    digest,
    state: z.string(),
    reason: z.string(),
  })
  .openapi('Reassigned');

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
  })
  .openapi('Image');
export type ImageView = z.infer<typeof imageSchema>;

export const imageListSchema = z.object({ images: z.array(imageSchema) }).openapi('ImageList');

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
    buildArguments: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is no name for a build argument'),
        z.string().max(32_768),
      )
      .optional()
      .openapi({ description: 'not secret: Docker keeps them in the image' }),
    secrets: z
      .record(z.string().regex(SECRET_ID, 'is no id for a secret'), z.base64().max(MAX_SECRET_CHARACTERS))
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
    startedAt: time.openapi({ description: 'while it is queued, when it was ordered' }),
    endedAt: time.nullable(),
  })
  .openapi('Build');
export type BuildView = z.infer<typeof buildSchema>;

export const buildListSchema = z.object({ builds: z.array(buildSchema) }).openapi('BuildList');

/** Of a build that is queued: how many others must end before it begins. */
export const buildWaitSchema = z.object({ buildsBefore: z.number().int() }).openapi('BuildWait');

/** One line of a build's log, live or afterwards. */
export const buildLogEntrySchema = z
  .object({
    phase: z.string(),
    message: z.string(),
    note: z.boolean().optional(),
    stepsDone: z.number().optional(),
    stepsTotal: z.number().optional(),
    bytesDone: z.number().optional(),
    bytesTotal: z.number().optional(),
  })
  .openapi('BuildLogEntry');

export const eventSchema = z
  .object({
    id: z.number(),
    at: time,
    kind: z.string(),
    host: z.string().nullable(),
    attempt: z.string().nullable(),
    actor: z.string(),
    reason: z.string(),
    data: z.record(z.string(), z.unknown()),
  })
  .openapi('Event');
export type EventView = z.infer<typeof eventSchema>;

export const eventListSchema = z
  .object({
    events: z.array(eventSchema),
    next: z.number().openapi({ description: 'give it as `after` to read on' }),
  })
  .openapi('EventList');
