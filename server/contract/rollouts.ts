import { createRoute, z } from '@hono/zod-openapi';
import { ROLLOUT_STATUSES } from '../core/rollout.ts';
import { MEMBER_STATES } from '../core/rollout-member.ts';
import { body, cursorParam, digest, imageRef, json, next, problems, time, writeProblems } from './route.ts';

/** Rollouts: many hosts brought to an image in waves. */

const amount = z
  .union([
    z.number().int().min(1).max(1_000_000),
    z
      .string()
      .regex(/^(100|[0-9]{1,2}(\.[0-9]{1,2})?)%$/, 'is no share like 10%')
      .refine((text) => Number.parseFloat(text) > 0, 'is nothing')
      .transform((text) => text as `${number}%`),
  ])
  .openapi({ description: 'a number of hosts, or a share of them as "10%"', example: '10%' });
const name = z.string().min(1).max(63);
const reason = z.string().max(500).optional().openapi({ description: 'told in events' });
const MAX_SECONDS = 30 * 86_400;

export const newRolloutSchema = z
  .strictObject({
    image: imageRef,
    selector: z.string().max(1024).optional().openapi({
      description: 'label selector as in Kubernetes; empty: every host',
      example: 'rack in (r1, r2)',
    }),
    macs: z.array(z.string().max(64)).min(1).max(10_000).optional(),
    name: name.optional(),
    waves: z
      .array(amount)
      .min(1)
      .max(20)
      .optional()
      .openapi({ description: 'hosts reached at the end of each wave; default [1, "10%", "50%", "100%"]' }),
    maxUnavailable: amount.optional().openapi({ description: 'on their way at once; default "10%"' }),
    failureThreshold: amount
      .optional()
      .openapi({ description: 'pauses at so many failures; a share counts the waves begun; default "5%"' }),
    soakSeconds: z.number().int().min(0).max(MAX_SECONDS).optional().openapi({ description: 'default 300' }),
    skipAfterSeconds: z
      .number()
      .int()
      .min(60)
      .max(MAX_SECONDS)
      .optional()
      .openapi({ description: 'a host that was not seen for so long is not waited for; default 600' }),
    fresh: z.boolean().optional().openapi({ description: 'write the slot anew even if one holds the image' }),
    reason,
  })
  .refine(({ selector, macs }) => (selector === undefined) !== (macs === undefined), {
    message: 'say which hosts: either selector, or macs',
  })
  .openapi('NewRollout');

const counts = z
  .object(
    Object.fromEntries(MEMBER_STATES.map((state) => [state, z.number().int()])) as Record<
      (typeof MEMBER_STATES)[number],
      z.ZodNumber
    >,
  )
  .openapi('RolloutCounts');

const image = z.object({ ref: z.string(), digest }).nullable();

const summary = z.object({
  id: z.string(),
  name: z.string().nullable(),
  image: image.openapi({ description: 'null: each host goes back to the image it had' }),
  rollbackOf: z.string().nullable(),
  status: z.enum(ROLLOUT_STATUSES),
  wave: z.number().int().openapi({ description: 'the one under way, from 1' }),
  waveCount: z.number().int(),
  hosts: z.number().int(),
  states: counts,
  createdAt: time,
  endedAt: time.nullable(),
});

export const rolloutSchema = summary
  .extend({
    reason: z.string().openapi({ description: 'what it does or waits for now' }),
    why: z.string().openapi({ description: 'what the operator gave as the reason for it' }),
    waves: z.array(
      z.object({
        upTo: amount,
        hosts: z.number().int(),
        status: z.enum(['waits', 'works', 'soaks', 'over']),
        states: counts,
      }),
    ),
    soakUntil: time.nullable(),
    unavailable: z
      .number()
      .int()
      .openapi({ description: 'hosts that are on their way, or jumped and fell silent' }),
    maxUnavailable: amount,
    maxUnavailableHosts: z.number().int(),
    failureThreshold: amount,
    failureLimit: z.number().int().openapi({ description: 'in hosts, for the waves begun' }),
    soakSeconds: z.number(),
    skipAfterSeconds: z.number(),
    fresh: z.boolean(),
  })
  .openapi('Rollout');
export type RolloutView = z.output<typeof rolloutSchema>;

const leftOut = z
  .array(z.object({ mac: z.string(), reason: z.string() }))
  .openapi({ description: 'hosts that were meant and do not take part' });

/** What beginning one answers, and rolling one back. */
export const begunRolloutSchema = rolloutSchema.extend({ leftOut }).openapi('BegunRollout');
export type BegunRolloutView = z.output<typeof begunRolloutSchema>;

const rolloutSummarySchema = summary.openapi('RolloutSummary');
export type RolloutSummaryView = z.output<typeof rolloutSummarySchema>;
export const rolloutListSchema = z
  .object({
    rollouts: z.array(rolloutSummarySchema),
    next,
  })
  .openapi('RolloutList');

const rolloutHostSchema = z
  .object({
    host: z.string(),
    mac: z.string(),
    wave: z.number().int(),
    state: z.enum(MEMBER_STATES),
    reason: z.string(),
    attempt: z.string().nullable().openapi({ description: 'the last that the rollout ordered' }),
    image: z.object({ ref: z.string(), digest }),
    before: image.openapi({ description: 'what it ran when it was ordered' }),
    lastSeen: time.nullable(),
  })
  .openapi('RolloutHost');
export type RolloutHostView = z.output<typeof rolloutHostSchema>;
export const rolloutHostsSchema = z
  .object({ hosts: z.array(rolloutHostSchema), next })
  .openapi('RolloutHosts');

export const rolloutPlanSchema = z
  .object({
    image,
    hosts: z.number().int(),
    maxUnavailableHosts: z.number().int(),
    waves: z.array(z.object({ upTo: amount, hosts: z.number().int(), macs: z.array(z.string()) })),
    leftOut,
  })
  .openapi('RolloutPlan');
export type RolloutPlanView = z.output<typeof rolloutPlanSchema>;

const reasonBody = body(z.strictObject({ reason }).openapi('RolloutReason'));

const ROLLOUTS = '/api/v1/rollouts';
const ROLLOUT = `${ROLLOUTS}/{id}` as const;
const idParam = z.object({ id: z.string().max(64) });
const page = {
  cursor: cursorParam,
  limit: z.coerce.number().int().min(1).max(1000).optional(),
};

export const beginRollout = createRoute({
  operationId: 'beginRollout',
  method: 'post',
  path: ROLLOUTS,
  summary:
    'Bring many hosts to an image, in waves; with `dryRun=true` only say which host falls in which wave',
  request: {
    query: z.object({ dryRun: z.enum(['true', 'false']).optional() }),
    body: body(newRolloutSchema),
  },
  responses: {
    200: json(rolloutPlanSchema, 'the plan; nothing was written'),
    201: json(begunRolloutSchema, 'it has begun'),
    ...writeProblems,
  },
});

export const listRollouts = createRoute({
  operationId: 'listRollouts',
  method: 'get',
  path: ROLLOUTS,
  summary: 'Rollouts, the newest first',
  request: { query: z.object(page) },
  responses: { 200: json(rolloutListSchema, 'a page'), ...problems },
});

export const getRollout = createRoute({
  operationId: 'getRollout',
  method: 'get',
  path: ROLLOUT,
  summary: 'How far it is, and what it waits for',
  request: { params: idParam },
  responses: { 200: json(rolloutSchema, 'the rollout'), ...problems },
});

export const listRolloutHosts = createRoute({
  operationId: 'listRolloutHosts',
  method: 'get',
  path: `${ROLLOUT}/hosts`,
  summary: 'Its hosts in the order in which they are taken, each with where it stands and why',
  request: { params: idParam, query: z.object({ ...page, state: z.enum(MEMBER_STATES).optional() }) },
  responses: { 200: json(rolloutHostsSchema, 'a page'), ...problems },
});

export const pauseRollout = createRoute({
  operationId: 'pauseRollout',
  method: 'post',
  path: `${ROLLOUT}/pause`,
  summary: 'Order nothing more until it is resumed',
  request: { params: idParam, body: reasonBody },
  responses: { 200: json(rolloutSchema, 'it is paused'), ...writeProblems },
});

export const resumeRollout = createRoute({
  operationId: 'resumeRollout',
  method: 'post',
  path: `${ROLLOUT}/resume`,
  summary: 'Go on; the failures so far are accepted',
  request: {
    params: idParam,
    body: body(
      z
        .strictObject({
          reason,
          retry: z
            .boolean()
            .optional()
            .openapi({ description: 'order the hosts once more that failed or rolled back' }),
        })
        .openapi('ResumeRollout'),
    ),
  },
  responses: { 200: json(rolloutSchema, 'it runs'), ...writeProblems },
});

export const abortRollout = createRoute({
  operationId: 'abortRollout',
  method: 'post',
  path: `${ROLLOUT}/abort`,
  summary: 'End it: orders that no host has acted on are taken back, hosts that jump come to their end',
  request: { params: idParam, body: reasonBody },
  responses: { 200: json(rolloutSchema, 'it is over'), ...writeProblems },
});

export const rollBackRollout = createRoute({
  operationId: 'rollBackRollout',
  method: 'post',
  path: `${ROLLOUT}/rollback`,
  summary:
    'End it, and begin another that brings its hosts back to what they ran before, within the same limits; hosts whose image is gone are left out',
  request: { params: idParam, body: reasonBody },
  responses: { 201: json(begunRolloutSchema, 'the rollout that brings them back'), ...writeProblems },
});
