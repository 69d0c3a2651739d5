/**
 * The characters that a kernel command line of ours may hold. Everything here means itself in GRUB's
 * script language, in a POSIX shell between single quotes and in an iPXE script, so no value can become code on
 * the way to the kernel (CVE-2026-46447 was such a way).
 */
const SAFE = /^[A-Za-z0-9 _.,:=/@+%-]*$/;

/** Of an image's own arguments. */
export const MAX_ARGUMENTS_LENGTH = 1024;

/** Of a host's or a profile's, behind those of the image. */
export const MAX_HOST_ARGUMENTS_LENGTH = 512;

/** @returns null when the arguments are safe, else the first character that is not. */
export function unsafeCharacter(kernelArguments: string): string | null {
  if (SAFE.test(kernelArguments)) return null;
  return [...kernelArguments].find((character) => !SAFE.test(character)) ?? null;
}

/** Joins the parts of a command line with one space each, empty parts left out. */
export function joinArguments(...parts: readonly string[]): string {
  return parts
    .flatMap((part) => part.split(' '))
    .filter((word) => word !== '')
    .join(' ');
}
