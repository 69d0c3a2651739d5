import { z } from '@hono/zod-openapi';
import { POWER_STEPS } from '../core/attempt.ts';
import { DISK_RULES } from '../core/disk-rule.ts';
import { LEAST_RATE_BYTES, TRIAL_SECONDS } from '../core/host-limits.ts';
import { HOST_STATES } from '../core/host-state.ts';
import { MAX_HOST_ARGUMENTS_LENGTH } from '../core/kernel-arguments.ts';
import { keptInventorySchema } from './inventory.ts';
import { named } from './named.ts';
import { cursorParam, digest, imageRef, next, orNull, repeated, time } from './route.ts';

export { DISK_RULES } from '../core/disk-rule.ts';
export { HOST_STATES } from '../core/host-state.ts';

/** Hosts as the admin API shows them and is told of them. The server answers with these schemas, the command line reads with them. */

const labelName = z.string().min(1).max(63);
const labelValue = z.string().max(63);
const labels = named(labelName, labelValue);

/** What hosts say themselves or take from a profile; null: from the profile, or the default. */
export const hostSettings = {
  layout: z.string().max(64).nullish(),
  disk: z.string().max(160).nullish().openapi({ description: DISK_RULES }),
  append: z
    .string()
    .max(MAX_HOST_ARGUMENTS_LENGTH)
    .nullish()
    .openapi({ description: "kernel arguments, after the image's" }),
  switch: z.enum(['kexec', 'reboot']).nullish(),
  trialSeconds: z
    .int()
    .min(TRIAL_SECONDS.least)
    .max(TRIAL_SECONDS.most)
    .nullish()
    .openapi({ description: "how long an image on trial may take to prove itself; null: the server's own" }),
  rate: z
    .int()
    .min(LEAST_RATE_BYTES)
    .nullish()
    .openapi({ description: 'bytes per second that staging may take; null: no limit' }),
  readBack: z
    .boolean()
    .nullish()
    .openapi({ description: 'whether a slot is read back and compared after it was written' }),
};

const hostFields = {
  ...hostSettings,
  labels: labels.optional(),
  profile: z
    .string()
    .max(63)
    .nullish()
    .openapi({ description: 'whose settings count where the host has none of its own; null: none' }),
};

const origin = z.enum(['own', 'profile', 'default']);

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
    as: z.string().max(64).optional().openapi({
      description:
        'a MAC of a host: its board or a card was replaced, and this machine is that host from now on; nothing else is said with it',
    }),
    image: imageRef.optional(),
    wipe: z.boolean().optional().openapi({ description: 'the first install may overwrite foreign data' }),
    ...hostFields,
  })
  .refine((wish) => wish.as === undefined || Object.keys(wish).length === 1, {
    message: 'say either which host it is (as), or what it shall be: a host keeps what was said of it',
  })
  .openapi('Approval');

export const ignoredSchema = z.strictObject({ ignored: z.boolean() }).openapi('Ignored');

export const hostChangesSchema = z
  .strictObject({
    ...hostFields,
    labels: named(labelName, labelValue.nullable()).nullish().openapi({
      description:
        'with application/merge-patch+json (RFC 7396) these are set, those with null taken away, the others stay; with application/json they replace all',
    }),
  })
  .openapi('HostChanges');
export type HostChangesView = z.infer<typeof hostChangesSchema>;

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
    rollout: z.string().nullish().openapi({ description: 'the rollout that ordered it' }),
    phase: z.string(),
    progress: z.object({ phase: z.string(), bytesDone: z.number(), bytesTotal: z.number() }).nullable(),
    outcome: z.enum(['succeeded', 'failed', 'rolled-back', 'superseded']).nullable(),
    reason: z.string(),
    createdAt: time,
    phaseAt: time,
    deadline: time.nullable(),
    endedAt: time.nullable(),
    power: z
      .enum(POWER_STEPS)
      .nullable()
      .openapi({ description: "the attempt's one power cycle; null: none was needed" }),
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
    slots: z.record(
      z.string(),
      z.object({
        state: z.string(),
        digest: digest.nullable(),
        files: z.string().nullish().openapi({
          description:
            "sha256 of the host's own files that the slot has, which were the host's at the last install of the slot or switch to it; null: none; left out: its agent does not say",
        }),
      }),
    ),
    disk: z.string().nullable(),
    readOnly: z.boolean().optional().openapi({
      description: 'its disk takes no writes any more; left out by a server that does not ask',
    }),
    trial: z.boolean(),
    wentBack: z.string().nullable().openapi({
      description:
        'why it left the image that it was to run, in its own words, while it runs what it went back to',
    }),
    at: time,
  })
  .openapi('Observation');

/** In no ETag. */
export const hint = z.string().nullable().openapi({
  description: 'why it does not hear of it, where the records do not say that: it asks with a wrong token',
});

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
    held: z.string().nullable().openapi({ description: 'why an operator holds it; null: none does' }),
    trialSeconds: z.int().nullable().openapi({ description: "null: the server's own" }),
    rate: z.int().nullable().openapi({ description: 'bytes per second of staging; null: no limit' }),
    readBack: z.boolean().optional().openapi({ description: 'left out by a server that always has it done' }),
    profile: z.string().nullable(),
    files: z
      .object({ sha256: z.string(), bytes: z.number().int() })
      .nullish()
      .openapi({ description: 'the files that it has of its own, as one tar; null: none' }),
    from: z
      .object({
        layout: origin,
        disk: origin,
        append: origin,
        switch: origin,
        trialSeconds: origin,
        rate: origin,
        readBack: origin.optional(),
      })
      .openapi({ description: 'where each setting comes from' }),
    claimed: z.boolean(),
    serial: z.number(),
    revision: z.number().int().openapi({ description: 'rises with what operators say and order' }),
    attempt: orNull(attemptSchema),
    observation: orNull(observationSchema),
    next: z.object({
      action: z.string(),
      reason: z.string(),
      until: z.string(),
      hint,
      slot: z.string().nullable(),
    }),
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

export const HOSTS_ON_A_PAGE = 1000;

export const attemptListSchema = z.object({ attempts: z.array(attemptSchema), next }).openapi('AttemptList');

/** Which hosts: all that is given must fit. */
export const hostQuerySchema = z.object({
  label: repeated(z.string().max(1024)).openapi({
    description:
      'a selector as in Kubernetes: rack=r1, rack!=r1, rack in (r1, r2), rack notin (r1), spare, !spare',
  }),
  state: repeated(z.string().max(256)).openapi({
    description: `any of these, with commas between or repeated: ${HOST_STATES.join(', ')}`,
  }),
  image: imageRef.optional().openapi({ description: 'hosts that shall run it, or run it' }),
  q: z.string().max(128).optional().openapi({
    description:
      'a part of a MAC in any notation, of a label (NAME=VALUE), of the name of the image that it shall run or runs, or of its inventory: vendor, product and serial of system and board, and the address that it was sent from; in any case',
  }),
  limit: z.coerce.number().int().min(1).max(HOSTS_ON_A_PAGE).optional(),
  profile: z.string().max(63).optional(),
  cursor: cursorParam,
});

export const hostListSchema = z.object({ hosts: z.array(hostSchema), next }).openapi('HostList');

export const reassignedSchema = z
  .object({
    attempt: z.string().nullable().openapi({ description: 'null: the host runs the image already' }),
    digest,
    state: z.string(),
    reason: z.string(),
  })
  .openapi('Reassigned');
