import { unsafeCharacter } from './kernel-arguments.ts';

/**
 * What may be written into an iPXE script. iPXE has no quoting: it expands `${…}`, splits at spaces, and takes `||`
 * and `&&` as operators wherever they stand (CVE-2026-46447 came in that way). So a value is either free of such
 * characters or refused; the two branded types below cannot be had in another way.
 */
declare const safeBrand: unique symbol;
declare const urlBrand: unique symbol;

/** Words that mean only themselves in an iPXE script and on a kernel command line. */
export type IpxeSafe = string & { readonly [safeBrand]: true };

/** `http://host[:port][/path]` without a slash at its end; no query, no user, no fragment. */
export type IpxeUrl = string & { readonly [urlBrand]: true };

/** iPXE's line buffer is the heap; the kernel's is not: COMMAND_LINE_SIZE of x86 is 2048 bytes. */
const MAX_VALUE = 1536;
/** A line of a text console, less our prefix. */
const MAX_TEXT = 160;

/** @returns null for what could become code in a script (newline, `$`, `|`, `&`, quotes, non-ASCII …) or is too long. */
export function ipxeSafe(value: string): IpxeSafe | null {
  // `$` in a JS pattern also matches before a final newline only with the m flag; unsafeCharacter is anchored without it.
  return value.length <= MAX_VALUE && unsafeCharacter(value) === null ? (value as IpxeSafe) : null;
}

const URL_SHAPE =
  /^https?:\/\/(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:\/[a-z0-9._~/-]*)?$/i;

/** @returns null unless it is a plain http(s) address that needs no escaping anywhere. */
export function ipxeUrl(value: string): IpxeUrl | null {
  if (value.length > 255 || !URL_SHAPE.test(value)) return null;
  return value.replace(/\/+$/, '') as IpxeUrl;
}

/**
 * Any text as something `echo` shows and nothing else: what iPXE would interpret becomes `?`, blanks become one space,
 * the rest is cut at 160 characters.
 */
export function ipxeText(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, MAX_TEXT)
    .replaceAll(/[^A-Za-z0-9 _.,:;=/@+%()-]/g, '?');
}
