import { z } from '@hono/zod-openapi';
import { HOST_STATES } from '../core/host-state.ts';

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
    enrolment: z.enum(['discovered', 'approved', 'retired']),
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

export const hostListSchema = z.object({ hosts: z.array(hostSchema) }).openapi('HostList');

export const reassignedSchema = z
  .object({
    attempt: z.string().nullable().openapi({ description: 'null: the host runs the image already' }),
    digest,
    state: z.string(),
    reason: z.string(),
  })
  .openapi('Reassigned');

export const nextSchema = z
  .object({
    action: z.string(),
    reason: z.string(),
    slot: z.string().nullable(),
    digest: digest.nullable(),
    attempt: z.string().nullable(),
  })
  .openapi('Next');

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
    createdAt: time,
  })
  .openapi('Image');
export type ImageView = z.infer<typeof imageSchema>;

export const imageListSchema = z.object({ images: z.array(imageSchema) }).openapi('ImageList');

export const newBuildSchema = z
  .strictObject({
    name: z.string().max(64),
    tag: z.string().max(128).optional(),
  })
  .openapi('NewBuild');

export const buildSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    tag: z.string(),
    status: z.enum(['running', 'succeeded', 'failed', 'interrupted']),
    digest: digest.nullable(),
    error: z.string().nullable(),
    startedAt: time,
    endedAt: time.nullable(),
  })
  .openapi('Build');
export type BuildView = z.infer<typeof buildSchema>;

/** One line of a build's log, live or afterwards. */
export const buildLogEntrySchema = z
  .object({
    phase: z.string(),
    message: z.string(),
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
