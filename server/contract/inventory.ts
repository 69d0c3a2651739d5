import { z } from '@hono/zod-openapi';

/** The wire schemas of inventories: what a machine says of itself, and how it is shown. */

/** What one inventory may take on the wire. */
export const MAX_INVENTORY_BYTES = 64 * 1024;

/** What a machine may leave out; it is kept as null. */
const maybe = <Known extends z.ZodType>(known: Known) => known.nullish().transform((value) => value ?? null);
/** Firmware writes what it likes: a long text is cut, not refused, for the machine cannot do better. */
const said = maybe(
  z
    .string()
    .max(4096)
    .transform((text) => text.slice(0, 128)),
);
const word = maybe(z.string().regex(/^[A-Za-z0-9_.:-]{1,32}$/, 'is no short word'));
const flag = maybe(z.boolean());
const whole = maybe(z.number().int());
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const maker = z.object({ vendor: said, product: said, serial: said });

export const inventorySchema = z
  .object({
    architecture: z.string().min(1).max(32),
    firmware: z.object({
      kind: z.enum(['bios', 'uefi']),
      bits: whole,
      secureBoot: flag,
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
          rotational: flag,
          content: maybe(z.enum(['empty', 'warmboot', 'foreign'])),
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
          link: flag,
          speedMbps: whole,
        }),
      )
      .max(64),
    bmc: z.object({ source: z.enum(['ipmi', 'smbios', 'unknown']), address: said }),
    watchdog: flag,
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
