import { parseArgs } from 'node:util';

/** What `try` can be asked for. */
export interface TryOptions {
  /** `NAME[:TAG]`, a digest, or a disk's file. */
  readonly what: string;
  readonly firmware: 'bios' | 'uefi';
  readonly memoryMiB: number;
  /** What the system writes is forgotten at the end. */
  readonly snapshot: boolean;
  /** Null: the smallest of those that come with Warmboot and hold the image. */
  readonly layout: string | null;
  readonly data: string | null;
  readonly server: string | null;
}

export const TRY_USAGE = `Usage: ./warmboot try IMAGE|FILE [options]

Boots an image, or a disk made by "warmboot disk", in QEMU; its serial console is this terminal. Ctrl-A X ends it.

  --uefi            boot by UEFI, not by BIOS
  --memory MIB      memory of the machine                          1024
  --no-snapshot     keep in FILE what the system writes
  --layout NAME     disk layout for an image            the smallest that holds it
  --data DIR        data folder where the image is                 ./data
  --server URL      the server that has the image
`;

/** @throws Error with one sentence about what is wrong. */
export function parseTryOptions(args: readonly string[]): TryOptions | 'help' {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    allowNegative: true,
    options: {
      uefi: { type: 'boolean', default: false },
      memory: { type: 'string', default: '1024' },
      snapshot: { type: 'boolean', default: true },
      layout: { type: 'string' },
      data: { type: 'string' },
      server: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const [what, ...rest] = positionals;
  if (what === undefined || rest.length > 0)
    throw new Error('name one image or one disk: warmboot try IMAGE|FILE');
  const memoryMiB = Number(values.memory);
  if (!Number.isInteger(memoryMiB) || memoryMiB < 128)
    throw new Error(`--memory ${values.memory}: a number of MiB, at least 128`);
  return {
    what,
    firmware: values.uefi ? 'uefi' : 'bios',
    memoryMiB,
    snapshot: values.snapshot,
    layout: values.layout ?? null,
    data: values.data ?? null,
    server: values.server ?? null,
  };
}
