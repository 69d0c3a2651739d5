/**
 * Which disk the installer takes: the smallest fixed one, the first without data, or a named one.
 * A value that follows `=` is compared as the kernel shows it in sysfs (`path`: as in `/dev`).
 */
export type DiskRule =
  | { readonly by: 'smallest' | 'first-empty' }
  | { readonly by: 'serial' | 'wwn' | 'path'; readonly value: string };

/** A path that stays below /dev and is written in one way only: without `.`, `..`, doubled slashes or one at the end. */
const DEVICE = /^\/dev(?:\/(?!\.{1,2}(?:\/|$))[^/]+)+$/;

/** @returns null for a text that is no rule. Values are limited to what the installer's shell takes literally. */
export function parseDiskRule(text: string): DiskRule | null {
  if (text === 'smallest' || text === 'first-empty') return { by: text };
  const match = /^(serial|wwn|path)=([A-Za-z0-9_.:/@+-]{1,128})$/.exec(text);
  if (!match?.[2]) return null;
  const by = match[1] as 'serial' | 'wwn' | 'path';
  return by === 'path' && !DEVICE.test(match[2]) ? null : { by, value: match[2] };
}
