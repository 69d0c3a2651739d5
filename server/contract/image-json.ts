import { z } from 'zod';
import { TABLES } from '../core/disk-layout.ts';
import { FILESYSTEM_BYTES, FILESYSTEM_TYPES, type FilesystemType } from '../core/image-index.ts';
import { MAX_ARGUMENTS_LENGTH } from '../core/kernel-arguments.ts';

/** The files that people write below images/: image.json of an image, disks/NAME.json of a disk layout. */

const UNITS = { MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;

/** "2GiB" → bytes. Whole numbers of MiB, GiB or TiB only, so that a size is always whole blocks. */
const size = z
  .string()
  .regex(/^[1-9][0-9]{0,8}(MiB|GiB|TiB)$/, 'a size is a whole number and MiB, GiB or TiB, e.g. "2GiB"')
  .transform((text) => Number.parseInt(text, 10) * UNITS[text.slice(-3) as keyof typeof UNITS]);

/** What is wrong with a filesystem of this length, as a clause; null when it can be made. */
export function filesystemFault({
  type,
  size: bytes,
}: {
  type: FilesystemType;
  size: number;
}): string | null {
  const { min, max } = FILESYSTEM_BYTES[type];
  if (bytes >= min && bytes <= max) return null;
  return `a filesystem of type ${type} has between ${min / UNITS.MiB}MiB and ${max / UNITS.TiB}TiB`;
}

// What GRUB and a shell's single quotes take as it is; the server guarantees it for the whole command line.
const kernelArguments = z
  .string()
  .regex(/^[A-Za-z0-9 _.,:=/@+%-]*$/, 'kernel arguments may hold letters, digits, spaces and _.,:=/@+%- only')
  .max(MAX_ARGUMENTS_LENGTH);
const append = kernelArguments.default('');

/** image.json, strict: an unknown key is a mistake, not a wish for later. */
const recipeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('os'),
    filesystem: z
      .strictObject({ type: z.enum(FILESYSTEM_TYPES), size })
      .superRefine((filesystem, context) => {
        const message = filesystemFault(filesystem);
        if (message !== null) context.addIssue({ code: 'custom', path: ['size'], message });
      }),
    append,
    agent: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal('installer'), append }),
  z.strictObject({ kind: z.literal('tool') }),
]);

/**
 * What an images/NAME folder asks for. `os`: a partition; `installer`: kernel and initrd for netboot; `tool`: only an
 * image in Docker, named `warmboot/NAME`, for other Dockerfiles to copy from. `filesystem.size` is in bytes; `agent`: the
 * builder adds Warmboot's agent where the image has none.
 */
export type Recipe = z.infer<typeof recipeSchema>;

/** What an order for a build may say instead of image.json; each is optional. `size` is written as there, and in bytes when read. */
export const recipeOverrides = {
  filesystem: z.enum(FILESYSTEM_TYPES).optional(),
  size: size.optional(),
  append: kernelArguments.max(2048).optional(),
  addAgent: z.boolean().optional(),
};

const MIB = UNITS.MiB;
const wholeMebibytes = z
  .number()
  .int()
  .positive()
  .refine((bytes) => bytes % MIB === 0, 'must be whole MiB (a multiple of 1048576)');

const layoutSchema = z.strictObject({
  table: z.enum(TABLES).default('gpt'),
  // FAT32 has at least 65525 clusters; below that it is FAT16, which some firmware does not take as an ESP.
  bootBytes: wholeMebibytes.refine((bytes) => bytes >= 64 * MIB, 'the boot partition has at least 64 MiB'),
  stateBytes: wholeMebibytes.refine((bytes) => bytes >= 16 * MIB, 'the state partition has at least 16 MiB'),
  slots: z.number().int().min(2, 'a disk has at least 2 slots').max(8, 'a disk has at most 8 slots'),
  slotBytes: wholeMebibytes,
  data: z.boolean(),
});

/** images/disks/NAME.json; sizes in bytes. */
export type DiskLayoutFile = z.infer<typeof layoutSchema>;

/** The value, or the faults: one line each, with its place. */
export type Read<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly faults: readonly string[] };

export function parseRecipe(text: string): Read<Recipe> {
  return read(recipeSchema, text);
}

export function parseDiskLayout(text: string): Read<DiskLayoutFile> {
  return read(layoutSchema, text);
}

function read<Value>(schema: z.ZodType<Value>, text: string): Read<Value> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, faults: [`it is not JSON: ${(error as Error).message}`] };
  }
  const result = schema.safeParse(json);
  if (result.success) return { ok: true, value: result.data };
  return {
    ok: false,
    faults: result.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`),
  };
}
