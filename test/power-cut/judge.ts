import { createHash } from 'node:crypto';
import type { Partition } from '../../server/core/disk-layout.ts';
import type { TestImage } from '../fixtures/running-server.ts';
import type { DiskState } from './disk-state.ts';
import { type FatFile, type FatVolume, readFat } from './fat.ts';
import { type Grubenv, grubChoice, parseGrubenv } from './grub.ts';
import { SECTOR } from './write-log.ts';

/** What must be true of a disk whose power was cut, whenever that was. */

export type Known = {
  readonly images: readonly TestImage[];
  readonly partitions: readonly Partition[];
  /** SHA-256 of what the disk and its boot partition hold for the firmware, by name; see {@link firmwareFiles}. */
  readonly firmware: ReadonlyMap<string, string>;
};

/** What happened before the power was cut, as far as the host itself could know it. */
export type Before = {
  /** The disk has once held a slot that can be booted: from then on it always does. */
  readonly installed: boolean;
  /** What the machine may start without a trial; after a slot proved healthy it may be that one too. */
  readonly mayBoot: ReadonlySet<string>;
};

export type Verdict = {
  readonly wrong: readonly string[];
  readonly boots: string | null;
  readonly trial: string | null;
};

export function judge(disk: DiskState, known: Known, before: Before): Verdict {
  const boot = readFat(disk, startOf(known, 'warmboot-boot'));
  const slots = known.partitions.filter(({ label }) => /^warmboot-[a-h]$/.test(label));
  const valid = slots
    .map(({ label }) => label.slice(-1))
    .filter((slot) => boot?.files.get(`/warmboot/${slot}/valid`)?.isFolder === false);
  const grubenv = parseGrubenv(boot?.files.get('/grub/grubenv')?.content);
  const { slot, trial } = grubChoice(valid, grubenv);
  const wrong: string[] = [];
  // Not only of what would be started now: a person at the console may choose each, and GRUB falls back to each.
  if (boot) for (const each of valid) wrong.push(...slotIsWhole(disk, boot, each, known, each === slot));
  if (before.installed) wrong.push(...staysInstalled(disk, boot, grubenv, known));
  if (before.installed && slot === null) wrong.push('no slot can be booted');
  if (slot !== null && !before.mayBoot.has(slot))
    wrong.push(`slot ${slot} is booted, which has proved nothing`);
  return { wrong, boots: slot, trial };
}

/** The bytes of the image it is said to hold, and what starts it. */
function slotIsWhole(
  disk: DiskState,
  boot: FatVolume,
  slot: string,
  known: Known,
  isBooted: boolean,
): string[] {
  const file = (name: string) => boot.files.get(`/warmboot/${slot}/${name}`);
  const record = file('valid')?.content?.toString('latin1') ?? '';
  const digest = /^DIGEST='(.*)'$/m.exec(record)?.[1];
  const image = known.images.find((each) => each.digest === digest);
  if (image === undefined) return [`slot ${slot} is valid and its record says ${JSON.stringify(record)}`];
  const wrong: string[] = [];
  const { raw, kernel, initrd } = image.files;
  for (const [name, content] of [
    ['vmlinuz', kernel],
    ['initrd.img', initrd],
  ] as const)
    if (content === undefined || !file(name)?.content?.equals(content))
      wrong.push(`slot ${slot} is valid, ${name} is not whole`);
  const partition = known.partitions.find(({ label }) => label === `warmboot-${slot}`);
  if (!raw || !disk.read(startOf(known, `warmboot-${slot}`), raw.length).equals(raw))
    wrong.push(`slot ${slot} is valid, and has other bytes than its image`);
  const config = file('slot.cfg')?.content?.toString('latin1') ?? '';
  const append = /^set slot_append='(.*)'\nset slot_trial='.*'\n$/.exec(config);
  const words = (append?.[1] ?? '').split(' ');
  if (!words.includes(`root=PARTUUID=${partition?.uuid}`))
    wrong.push(`slot ${slot} is valid, slot.cfg says ${JSON.stringify(config)}`);
  if (file('cmdline')?.content?.toString('latin1') !== `${words.join(' ')}\n`)
    wrong.push(`slot ${slot} is valid, cmdline and slot.cfg differ`);
  // Of another slot `valid` may just be on its way out, and its cluster with it.
  const needed = [...(isBooted ? ['valid'] : []), 'vmlinuz', 'initrd.img', 'slot.cfg', 'cmdline'];
  return [...wrong, ...needed.flatMap((name) => isItsOwn(boot, file(name)))];
}

/** What the next mount writes must not land in this file: its clusters are its own, and not free. */
function isItsOwn(boot: FatVolume, file: FatFile | undefined): string[] {
  if (file === undefined) return [];
  const others = boot.entries.filter(
    (other) => other !== file && other.clusters.some((at) => file.clusters.includes(at)),
  );
  return [
    ...(file.clusters.some((at) => boot.next(at) === 0) ? [`clusters of ${file.path} are free`] : []),
    ...others.map((other) => `${other.path} has clusters of ${file.path}`),
  ];
}

function staysInstalled(
  disk: DiskState,
  boot: FatVolume | null,
  grubenv: Grubenv | null,
  known: Known,
): string[] {
  if (boot === null) return ['the boot partition has no filesystem'];
  const now = firmwareFiles(disk, boot);
  return [
    ...[...known.firmware]
      .filter(([name, hash]) => now.get(name) !== hash)
      .map(([name]) => `${name} is not whole`),
    ...(grubenv === null ? ['grubenv cannot be read'] : []),
    ...isItsOwn(boot, boot.files.get('/grub/grubenv')),
  ];
}

/** The table, and GRUB in its places: written once, by the install. */
export function firmwareFiles(disk: DiskState, boot: FatVolume): Map<string, string> {
  const hash = (bytes: Buffer | null | undefined) =>
    createHash('sha256')
      .update(bytes ?? 'none')
      .digest('hex');
  return new Map([
    ['partition table', hash(disk.read(SECTOR, 33 * SECTOR))],
    ['boot.img', hash(disk.read(0, SECTOR))],
    ['core.img', hash(disk.read(2048 * SECTOR, 1024 * SECTOR))],
    ...['/efi/boot/bootx64.efi', '/grub/grub.cfg'].map(
      (path) => [path, hash(boot.files.get(path)?.content)] as const,
    ),
  ]);
}

export function startOf({ partitions }: Pick<Known, 'partitions'>, label: string): number {
  const found = partitions.find((each) => each.label === label);
  if (found === undefined) throw new Error(`there is no partition ${label}`);
  return found.startSector * SECTOR;
}
