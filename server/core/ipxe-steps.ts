// biome-ignore-all lint/suspicious/noTemplateCurlyInString: iPXE has the same ${…} as JavaScript, and expands it itself.

/** Steps that the scripts have in common: a try with its repetitions, the word about a failure, the disk. */

/** Milliseconds that a message stays on the screen, with a way into the shell, before the disk is booted. */
const LAST_WORD_MS = 10_000;
/** Ctrl-B, iPXE's own key. */
export const SHELL_KEY = '0x02';
/** Where a BIOS counts its disks from, and how many of them are tried. One that is not there costs no time. */
const BIOS_DISKS = { first: 0x80, count: 8 } as const;

/** `command` is tried until it works; `failed` is the label to go to when it never does. */
type Tried = { label: string; doing: string; command: string; tries: number; failed: string };

/**
 * A request with its retries. `inc x x` doubles. Only `||` and `&&` with `goto` are used, for iPXE ends a script at the first
 * command that fails unheeded.
 */
export function tried({ label, doing, command, tries, failed }: Tried): string[] {
  return [
    'set try:int32 1',
    'set pause:int32 1000',
    `:${label}`,
    `echo Warmboot: ${doing} (try \${try} of ${tries})`,
    `${command} && goto ${label}_done ||`,
    `iseq \${try} ${tries} && goto ${failed} ||`,
    'inc try',
    `prompt --key ${SHELL_KEY} --timeout \${pause} Warmboot: failed, trying again in \${pause} ms. Ctrl-B opens a shell. && shell ||`,
    'inc pause ${pause}',
    `goto ${label}`,
    `:${label}_done`,
  ];
}

/** The end of every script: the disk, with a last chance to read and to type. */
export function failure(label: string, ...messages: string[]): string[] {
  return [
    `:${label}`,
    'echo',
    ...messages.map((message) => `echo Warmboot: ${message}`),
    'echo Warmboot: this machine: MAC ${netX/mac} address ${netX/ip} gateway ${netX/gateway} server ${next-server}',
    'echo Warmboot: its iPXE: ${version} ${buildarch} ${platform}',
    'goto last_word',
  ];
}

export function lastWord(): string[] {
  return [
    ':last_word',
    `prompt --key ${SHELL_KEY} --timeout ${LAST_WORD_MS} Warmboot: booting the disk in ${LAST_WORD_MS / 1000} seconds. Ctrl-B opens a shell. && shell ||`,
    ...disk(),
  ];
}

/**
 * BIOS: one disk after the other, for the first may be an empty data disk, or the stick that iPXE came from; whoever chains
 * from a stick says `set first-drive 0x81` before. Then back to the firmware. UEFI: the disk whose boot partition carries our label, at
 * once (a firmware that goes on by itself may first try every other network entry, a minute and more), by the
 * loader's name for this architecture; then `exit 1`, since firmware takes a plain `exit` as "booted" and stops there (tinkerbell#984).
 */
export function disk(): string[] {
  return [
    'imgfree',
    'iseq ${platform} efi && goto efi ||',
    `set drive:int32 ${BIOS_DISKS.first}`,
    'isset ${first-drive} && set drive:int32 ${first-drive} ||',
    'set disk:int32 1',
    ':drive',
    'echo Warmboot: trying disk ${disk}, BIOS drive ${drive}',
    'sanboot --no-describe --drive ${drive} ||',
    `iseq \${disk} ${BIOS_DISKS.count} && goto firmware ||`,
    'inc drive',
    'inc disk',
    'goto drive',
    ':efi',
    'sanboot --no-describe --drive 0 --label WARMBOOT ||',
    ':firmware',
    'echo Warmboot: going on to the next boot entry of the firmware',
    'exit 1',
  ];
}
