import { createRoute, z } from '@hono/zod-openapi';
import { MOST_LABELS } from '../core/host-limits.ts';
import { isSubnet } from '../core/subnet.ts';
import { hint } from './hosts.ts';
import { named } from './named.ts';
import { body, json, orNull, problems, refused, role, writeProblems } from './route.ts';

/** The wire schemas of discovery: the rules for machines that nobody has enrolled, and what they make of one. */

const decision = z
  .object({
    action: z.enum(['hold', 'enrol', 'ignore']),
    rule: z.string().nullable().openapi({ description: 'its name; null where none fits' }),
    reason: z.string(),
  })
  .openapi('DiscoveryDecision');

const label = z.string().min(1).max(128);
const ruleSchema = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$/, 'is no name for a rule'),
    match: z
      .strictObject({
        vendor: label.optional(),
        product: label.optional(),
        serials: z.array(label).min(1).max(1000).optional(),
        subnet: z.string().max(64).refine(isSubnet, 'is no subnet like 10.1.0.0/16').optional(),
        architecture: z.string().min(1).max(32).optional().openapi({ example: 'x86_64' }),
      })
      .openapi({ description: 'all must fit; texts in any case, * stands for any characters' }),
    action: z.enum(['hold', 'enrol', 'ignore']),
    image: z.string().min(1).max(256).optional(),
    layout: z.string().max(64).optional(),
    profile: z.string().min(1).max(63).optional(),
    labels: named(z.string().min(1).max(63), z.string().max(63))
      .refine((given) => Object.keys(given).length <= MOST_LABELS, `has more than ${MOST_LABELS} entries`)
      .optional(),
  })
  .refine(
    ({ action, image, layout, profile, labels }) =>
      action === 'enrol' ||
      (image === undefined && layout === undefined && profile === undefined && labels === undefined),
    { message: 'only a rule that enrols gives image, layout, profile or labels' },
  )
  .openapi('DiscoveryRule');

export const policySchema = z
  .strictObject({
    rules: z
      .array(ruleSchema)
      .max(100)
      .refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, {
        message: 'two of them have one name',
      }),
    otherwise: z.enum(['hold', 'ignore']).openapi({ description: 'when no rule fits' }),
    forgetAfterDays: z.number().int().min(1).max(3650),
    maxWaiting: z.number().int().min(1).max(100_000),
  })
  .openapi('DiscoveryPolicy');
export type PolicyView = z.infer<typeof policySchema>;

/** What a machine would be told now, and why. */
export const nextSchema = z
  .object({
    isKnown: z.boolean().openapi({ description: 'false: no host has this MAC' }),
    action: z.string(),
    reason: z.string(),
    until: z.string().openapi({ description: 'what would change the answer' }),
    hint,
    slot: z.string().nullable(),
    digest: z.string().nullable(),
    attempt: z.string().nullable(),
    boot: z
      .object({ kind: z.enum(['disk', 'installer', 'discovery']), reason: z.string() })
      .openapi({ description: 'what it gets when it netboots' }),
    discovery: orNull(decision).openapi({ description: 'null for a host that was approved' }),
  })
  .openapi('Next');
export type NextView = z.infer<typeof nextSchema>;

export const getDiscovery = createRoute({
  operationId: 'getDiscovery',
  method: 'get',
  path: '/api/v1/discovery',
  summary: 'The rules for machines that nobody has enrolled, with an ETag',
  responses: { 200: json(policySchema, 'the rules'), ...problems },
});

export const putDiscovery = createRoute({
  operationId: 'putDiscovery',
  ...role('admin'),
  method: 'put',
  path: '/api/v1/discovery',
  summary: 'Set the rules; If-Match names the edition that they replace',
  request: {
    headers: z.object({ 'if-match': z.string().optional().openapi({ description: 'needed' }) }),
    body: body(policySchema),
  },
  responses: {
    200: json(policySchema, 'the rules as they are now'),
    ...writeProblems,
    412: refused('they were changed meanwhile'),
    428: refused('If-Match is missing'),
  },
});
