// biome-ignore-all lint/suspicious/noTemplateCurlyInString: iPXE has the same ${…} as JavaScript, and expands it itself.

import type { InstallerScript } from './ipxe.ts';
import { type IpxeUrl, ipxeText } from './ipxe-values.ts';

/** The lines of which the scripts in `ipxe.ts` are made. */

/**
 * Milliseconds without any progress after which a request counts as failed. iPXE starts the count anew whenever
 * bytes arrive, so a slow network is not cut off in the middle of an initrd.
 */
const STALL_MS = { script: 10_000, file: 30_000 } as const;
/** Tries of one request. Pauses between them: 1, 2, 4, … seconds. */
const TRIES = { dhcp: 3, script: 6, file: 5 } as const;
/** Milliseconds that a message stays on the screen, with a way into the shell, before the disk is booted. */
const LAST_WORD_MS = 10_000;
/** Ctrl-B, iPXE's own key. */
const SHELL_KEY = '0x02';

/** `command` is tried until it works; `failed` is the label to go to when it never does. Needs `next` as the label after it. */
type Tried = { label: string; doing: string; command: string; tries: number; failed: string };

/**
 * A request with its retries. `inc x x` doubles. Only `||` and `&&` with `goto` are used, for iPXE ends a script at the first
 * command that fails unheeded.
 */
function tried({ label, doing, command, tries, failed }: Tried): string[] {
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
function failure(label: string, ...messages: string[]): string[] {
  return [
    `:${label}`,
    'echo',
    ...messages.map((message) => `echo Warmboot: ${message}`),
    'echo Warmboot: this machine: MAC ${netX/mac} address ${netX/ip} gateway ${netX/gateway} server ${next-server}',
    'goto last_word',
  ];
}

function lastWord(): string[] {
  return [
    ':last_word',
    `prompt --key ${SHELL_KEY} --timeout ${LAST_WORD_MS} Warmboot: booting the disk in ${LAST_WORD_MS / 1000} seconds. Ctrl-B opens a shell. && shell ||`,
    ...disk(),
  ];
}

/**
 * BIOS: the first two disks, for the first may be an empty data disk; then back to the firmware. UEFI: the disk whose
 * boot partition carries our label, at once (a firmware that goes on by itself may first try every other network
 * entry, a minute and more); then `exit 1`, since firmware takes a plain `exit` as "booted" and stops there (tinkerbell#984).
 */
function disk(): string[] {
  return [
    'imgfree',
    'iseq ${platform} efi && goto efi ||',
    'sanboot --no-describe --drive 0x80 ||',
    'echo Warmboot: the first disk does not boot, trying the second',
    'sanboot --no-describe --drive 0x81 ||',
    'goto firmware',
    ':efi',
    'sanboot --no-describe --drive 0 --filename \\EFI\\BOOT\\BOOTX64.EFI --label WARMBOOT ||',
    ':firmware',
    'echo Warmboot: going on to the next boot entry of the firmware',
    'exit 1',
  ];
}

/** The address of the machine's own script. `hexhyp` and `uristring` keep what the machine says about itself inside its parameter. */
function ownScript(bootUrl: IpxeUrl): string {
  const query = [
    'mac=${netX/mac:hexhyp}',
    'uuid=${uuid}',
    'serial=${serial:uristring}',
    'arch=${buildarch}',
    'platform=${platform}',
  ];
  return `${bootUrl}/boot/script?${query.join('&')}`;
}

/** `--replace`: the script that comes takes the place of this one, so that its `exit 1` is not our failed request. */
function chain(url: string): string {
  return `chain --replace --autofree --timeout ${STALL_MS.script} ${url}`;
}

export function entryLines(bootUrl: IpxeUrl): string[] {
  return [
    ...tried({
      label: 'script',
      doing: `asking ${bootUrl} what to do`,
      command: chain(ownScript(bootUrl)),
      tries: TRIES.script,
      failed: 'script_failed',
    }),
    ...failure(
      'script_failed',
      `${bootUrl} gave no boot script.`,
      'Is the server running, and does its port answer from this network? See above for the last error.',
    ),
    ...lastWord(),
  ];
}

export function autoexecLines(bootUrl: IpxeUrl): string[] {
  return [
    ...tried({
      label: 'dhcp',
      doing: 'asking for an address',
      command: 'dhcp',
      tries: TRIES.dhcp,
      failed: 'dhcp_failed',
    }),
    ...tried({
      label: 'entry',
      doing: `asking ${bootUrl} for the entry script`,
      command: chain(`${bootUrl}/boot.ipxe`),
      tries: TRIES.script,
      failed: 'entry_failed',
    }),
    ...failure('dhcp_failed', 'no DHCP server gave this machine an address. Cable, VLAN, DHCP range?'),
    ...failure(
      'entry_failed',
      `${bootUrl} gave no entry script.`,
      'Is the server running, and does its port answer from this network? See above for the last error.',
    ),
    ...lastWord(),
  ];
}

export function installerLines(given: InstallerScript): string[] {
  return loadInstaller('installing', given);
}

export function discoveryLines(given: InstallerScript): string[] {
  return loadInstaller('this machine has no order, the installer will look at it and wait', given);
}

/**
 * Kernel and two initrds: the installer's, and the server's own (its address and its key), so that the installer is the
 * same file everywhere. `initrd.magic` is iPXE's name for all of them joined.
 */
function loadInstaller(what: string, { bootUrl, mac, args, reason }: InstallerScript): string[] {
  const words = ['initrd=initrd.magic', `warmboot.mac=${mac}`, ...(args ?? '').split(' ')].filter(
    (word) => word !== '',
  );
  const fetch = (label: string, command: string, file: string, rest: string[] = []): string[] =>
    tried({
      label,
      doing: `fetching ${bootUrl}${file}`,
      command: [`${command} --timeout ${STALL_MS.file} ${bootUrl}${file}`, ...rest].join(' '),
      tries: TRIES.file,
      failed: 'fetch_failed',
    });
  return [
    `echo Warmboot: ${what}`,
    `echo Warmboot: ${ipxeText(reason)}`,
    'imgfree',
    ...fetch('kernel', 'kernel', '/boot/installer/vmlinuz', words),
    ...fetch('initrd', 'initrd', '/boot/installer/initrd.img'),
    ...fetch('config', 'initrd', '/boot/installer/config.img'),
    'echo Warmboot: starting the installer',
    'boot || goto boot_failed',
    ...failure(
      'fetch_failed',
      'a file of the installer could not be fetched. See above for which, and the last error.',
      'Was the installer image built on the server?',
    ),
    ...failure('boot_failed', "the installer's kernel did not start. Secure Boot, memory, architecture?"),
    ...lastWord(),
  ];
}

export function diskLines(reason: string): string[] {
  return [
    `echo Warmboot: booting the disk: ${ipxeText(reason)}`,
    `prompt --key ${SHELL_KEY} --timeout 1000 Warmboot: Ctrl-B opens a shell. && shell ||`,
    ...disk(),
  ];
}
