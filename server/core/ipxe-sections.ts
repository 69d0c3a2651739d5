// biome-ignore-all lint/suspicious/noTemplateCurlyInString: iPXE has the same ${…} as JavaScript, and expands it itself.

import type { InstallerScript } from './ipxe.ts';
import { disk, failure, lastWord, SHELL_KEY, tried } from './ipxe-steps.ts';
import { type IpxeUrl, ipxeText } from './ipxe-values.ts';

/** The lines of which the scripts in `ipxe.ts` are made. */

/**
 * Milliseconds without any progress after which a request counts as failed. iPXE starts the count anew whenever
 * bytes arrive, so a slow network is not cut off in the middle of an initrd.
 */
const STALL_MS = { script: 10_000, file: 30_000 } as const;
/** Tries of one request. Pauses between them: 1, 2, 4, … seconds. */
const TRIES = { dhcp: 3, script: 6, file: 5 } as const;

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

/** An installer whose kernel stops begins anew; else it would stand there until somebody comes. */
const PANIC = 'panic=30';

/**
 * Kernel and two initrds: the installer's, and the server's own (its address and its key), so that the installer is the
 * same file everywhere. `initrd.magic` is iPXE's name for all of them joined.
 */
function loadInstaller(what: string, { bootUrl, mac, args, reason }: InstallerScript): string[] {
  const words = ['initrd=initrd.magic', `warmboot.mac=${mac}`, PANIC, ...(args ?? '').split(' ')].filter(
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
    ...need64Bits(),
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
    ...failure(
      'no_64_bits',
      "this machine's processor is a 32-bit one. Warmboot installs on 64-bit processors only.",
    ),
    ...failure('boot_failed', "the installer's kernel did not start. Secure Boot, memory, architecture?"),
    ...lastWord(),
  ];
}

/**
 * Bit 29 of the extended features is "long mode". The control, a bit that every processor with PXE has (0: floating point),
 * tells a 32-bit processor from an iPXE that was built without the command.
 */
function need64Bits(): string[] {
  return ['cpuid --ext 29 && goto is_64_bits ||', 'cpuid 0 && goto no_64_bits ||', ':is_64_bits'];
}

/** @param architecture as iPXE calls it */
export function noInstallerLines(architecture: string, reason: string): string[] {
  return [
    ...failure(
      'no_installer',
      ipxeText(reason),
      `there is no installer for ${ipxeText(architecture)}, so this machine can only boot its own disk.`,
    ),
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
