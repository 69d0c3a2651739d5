/**
 * Which disk the installer takes: the smallest fixed one, the first without data, or a named one; and how long it must and
 * may be. `smallest,min=200GB,max=2TB`: a choice, then limits in any order, each once. No character of it means anything to a
 * shell. An installer that does not know a limit refuses the rule: it takes the whole of it for the choice.
 */
export type DiskRule = DiskChoice & {
  /** Bytes; null: no limit. */
  readonly min: number | null;
  readonly max: number | null;
};

/** A value that follows `=` is compared as the kernel shows it in sysfs (`path`: as in `/dev`). */
export type DiskChoice =
  | { readonly by: 'smallest' | 'first-empty' }
  | { readonly by: 'serial' | 'wwn' | 'path'; readonly value: string };

/** How rules are written, for people. */
export const DISK_RULES =
  'smallest, first-empty, serial=…, wwn=… or path=/dev/…, each also with ,min=200GB or ,max=2TB';

/** A path that stays below /dev and is written in one way only: without `.`, `..`, doubled slashes or one at the end. */
const DEVICE = /^\/dev(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/;

/** Disks are sold by powers of ten; who means powers of two says so. */
const UNITS: Readonly<Record<string, number>> = {
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** @returns null for a text that is no rule. Values are limited to what the installer's shell takes literally. */
export function parseDiskRule(text: string): DiskRule | null {
  const [first = '', ...rest] = text.split(',');
  const choice = parseChoice(first);
  if (choice === null) return null;
  const limits: { min: number | null; max: number | null } = { min: null, max: null };
  for (const limit of rest) {
    const match = /^(min|max)=([1-9]\d{0,5})([MGT]i?B)$/.exec(limit);
    const name = match?.[1] as 'min' | 'max' | undefined;
    if (!match || name === undefined || limits[name] !== null) return null;
    limits[name] = Number(match[2]) * (UNITS[match[3] ?? ''] ?? Number.NaN);
  }
  if (limits.min !== null && limits.max !== null && limits.min > limits.max) return null;
  return { ...choice, ...limits };
}

function parseChoice(text: string): DiskChoice | null {
  if (text === 'smallest' || text === 'first-empty') return { by: text };
  const match = /^(serial|wwn|path)=([A-Za-z0-9_.:/@+-]{1,128})$/.exec(text);
  if (!match?.[2]) return null;
  const by = match[1] as 'serial' | 'wwn' | 'path';
  return by === 'path' && !DEVICE.test(match[2]) ? null : { by, value: match[2] };
}
