import { z } from '@hono/zod-openapi';
import { isSubnet } from '../core/subnet.ts';

/** The wire schemas of discovery: what a machine says of itself, and the rules for machines that nobody has enrolled. */

/** What one inventory may take on the wire. */
export const MAX_INVENTORY_BYTES = 64 * 1024;

/** Firmware writes what it likes: a long text is cut, not refused, for the machine cannot do better. */
const said = z
  .string()
  .max(4096)
  .transform((text) => text.slice(0, 128))
  .nullish()
  .transform((text) => text ?? null);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const word = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,32}$/, 'is no short word')
  .nullish()
  .transform((text) => text ?? null);
const maybe = z
  .boolean()
  .nullish()
  .transform((value) => value ?? null);
const maker = z.object({ vendor: said, product: said, serial: said });

export const inventorySchema = z
  .object({
    architecture: z.string().min(1).max(32),
    firmware: z.object({
      kind: z.enum(['bios', 'uefi']),
      bits: z
        .number()
        .int()
        .nullish()
        .transform((bits) => bits ?? null),
      secureBoot: maybe,
    }),
    system: maker.extend({ uuid: said }),
    board: maker,
    cpu: z.object({ model: said, count }),
    memoryBytes: count,
    disks: z
      .array(
        z.object({
          name: z.string().regex(/^[A-Za-z0-9!_.-]{1,32}$/, 'is no name of a disk'),
          model: said,
          serial: said,
          wwn: said,
          bytes: count,
          sectorBytes: count,
          transport: word,
          rotational: maybe,
          content: z
            .enum(['empty', 'warmboot', 'foreign'])
            .nullish()
            .transform((content) => content ?? null),
        }),
      )
      .max(128),
    nics: z
      .array(
        z.object({
          name: z.string().max(32),
          mac: z.string().max(64),
          driver: said,
          bus: word,
          link: maybe,
          speedMbps: z
            .number()
            .int()
            .nullish()
            .transform((speed) => speed ?? null),
        }),
      )
      .max(64),
    bmc: z.object({ source: z.enum(['ipmi', 'smbios', 'unknown']), address: said }),
    watchdog: maybe,
  })
  .openapi('Inventory');

const decision = z
  .object({
    action: z.enum(['hold', 'enrol', 'ignore']),
    rule: z.string().nullable().openapi({ description: 'its name; null where none fits' }),
    reason: z.string(),
  })
  .openapi('DiscoveryDecision');

const text = z.string().nullable();
const answer = z.boolean().nullable();
const shownMaker = z.object({ vendor: text, product: text, serial: text });

/** The same as it is kept: what says nothing is null. */
export const keptInventorySchema = z
  .object({
    at: z.number().int().openapi({ description: 'milliseconds since 1970' }),
    address: z.string().openapi({ description: 'from which it was sent' }),
    architecture: z.string(),
    firmware: z.object({ kind: z.enum(['bios', 'uefi']), bits: z.number().nullable(), secureBoot: answer }),
    system: shownMaker.extend({ uuid: text }),
    board: shownMaker,
    cpu: z.object({ model: text, count: z.number() }),
    memoryBytes: z.number(),
    disks: z.array(
      z.object({
        name: z.string(),
        model: text,
        serial: text,
        wwn: text,
        bytes: z.number(),
        sectorBytes: z.number(),
        transport: text,
        rotational: answer,
        content: z.enum(['empty', 'warmboot', 'foreign']).nullable(),
      }),
    ),
    nics: z.array(
      z.object({
        name: z.string(),
        mac: text,
        driver: text,
        bus: text,
        link: answer,
        speedMbps: z.number().nullable(),
      }),
    ),
    bmc: z.object({ source: z.enum(['ipmi', 'smbios', 'unknown']), address: text }),
    watchdog: answer,
  })
  .openapi('KeptInventory');
export type InventoryView = z.infer<typeof keptInventorySchema>;

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
    labels: z.record(z.string().min(1).max(63), z.string().max(63)).optional(),
  })
  .refine(
    ({ action, image, layout, labels }) =>
      action === 'enrol' || (image === undefined && layout === undefined && labels === undefined),
    { message: 'only a rule that enrols gives image, layout or labels' },
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
    slot: z.string().nullable(),
    digest: z.string().nullable(),
    attempt: z.string().nullable(),
    boot: z
      .object({ kind: z.enum(['disk', 'installer', 'discovery']), reason: z.string() })
      .openapi({ description: 'what it gets when it netboots' }),
    discovery: decision.nullable().openapi({ description: 'null for a host that was approved' }),
  })
  .openapi('Next');
