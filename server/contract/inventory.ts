import { z } from '@hono/zod-openapi';

/** The wire schemas of inventories: what a machine says of itself, and how it is shown. */

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
