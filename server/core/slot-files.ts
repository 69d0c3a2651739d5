import { joinArguments } from './kernel-arguments.ts';

/** The texts that stand in a slot's folder on the boot partition, and GRUB's own variables (docs/disk-layout.md). */

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
    'panic=10',
    `warmboot.slot=${slot}`,
    attempt === null ? '' : `warmboot.attempt=${attempt}`,
  );
}

/**
 * What a trial adds to the command line: a panic, an oops, a dead initrd or a hang ends at the firmware, and so at
 * the old slot (kernel-parameters.txt; dracut.cmdline(7); systemd-system.conf(5) for the watchdog).
 */
export function trialArguments(seconds: number): string {
  return `oops=panic panic=10 rd.shell=0 rd.emergency=reboot watchdog.open_timeout=120 warmboot.trial=${seconds}`;
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
