import { joinArguments } from './kernel-arguments.ts';

/** The texts that stand in a slot's folder on the boot partition, and GRUB's own variables (docs/disk-layout.md). */

/**
 * What every system of ours is started with, on trial or not: a panic and an initrd that finds no root end at the firmware, where
 * GRUB counts the tries, and not at a prompt that nobody sees (kernel-parameters.txt; dracut.cmdline(7); initramfs-tools takes
 * `panic` for that too and passes over the others). `stop_on_reboot` has to be said to the kernel that is left: a hardware watchdog
 * that was armed for a jump goes on through it (Linux 5.8 and later).
 */
const ALWAYS = 'panic=10 rd.shell=0 rd.emergency=reboot watchdog.stop_on_reboot=0';

/**
 * The whole kernel command line of a slot.
 * @param root `PARTUUID=…`
 * @param more the image's own arguments, then the host's
 */
export function slotArguments({
  root,
  more,
  slot,
  attempt,
}: {
  readonly root: string;
  readonly more: readonly string[];
  readonly slot: string;
  readonly attempt: string | null;
}): string {
  return joinArguments(
    `root=${root} rw`,
    ...more,
    ALWAYS,
    `warmboot.slot=${slot}`,
    attempt === null ? '' : `warmboot.attempt=${attempt}`,
  );
}

/**
 * What a trial adds to the command line: an oops is the end too, a watchdog that is running is not fed for ever by the kernel alone
 * (Linux 5.3 and later: `trial-guard` has so many seconds to take it over), and `trial-guard` knows how long the trial may take.
 */
export function trialArguments(seconds: number): string {
  return `oops=panic watchdog.open_timeout=120 warmboot.trial=${seconds}`;
}

/** `slot.cfg`, for GRUB. Kernel arguments of ours hold no quote (see `kernel-arguments.ts`). */
export function slotConfig(append: string, trial: string): string {
  return `set slot_append='${append}'\nset slot_trial='${trial}'\n`;
}

/** `valid`, for a shell: what the slot holds. `attempt` is empty where no attempt wrote it. */
export function validRecord(digest: string, name: string, attempt: string): string {
  return `DIGEST='${digest}'\nNAME='${name}'\nATTEMPT='${attempt}'\n`;
}

const GRUBENV_BYTES = 1024;

/** GRUB's environment block: a header, lines, filled up with `#` (GRUB: grub-core/lib/envblk.c). ASCII only. */
export function grubEnvironment(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([key, value]) => `${key}=${value}\n`);
  return `# GRUB Environment Block\n${lines.join('')}`.padEnd(GRUBENV_BYTES, '#');
}
