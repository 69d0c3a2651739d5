import type { DiskState } from './disk-state.ts';
import { type FatVolume, readFat } from './fat.ts';
import { afterGrub, type Grubenv, grubChoice, parseGrubenv } from './grub.ts';
import { fnv1a, textOfKernel } from './payload.ts';
import { NO_SLOT, startedWith } from './real-grub.ts';

/** What the model says of a power-on from a disk, to be held against what GRUB does. */
export type Expected = {
  /** In the words of real-grub.ts. */
  readonly answer: string;
  readonly valid: readonly string[];
  readonly before: Grubenv | null;
  readonly after: Grubenv | null;
  /** Where the file grubenv lies; GRUB writes nowhere else. */
  readonly written: readonly { readonly offset: number; readonly bytes: number }[];
};

/** @param bootAt where on the disk the boot partition begins */
export function expectedOf(disk: DiskState, bootAt: number): Expected {
  const boot = readFat(disk, bootAt);
  const valid = 'abcdefgh'.split('').filter((slot) => isFile(boot, `/warmboot/${slot}/valid`));
  const file = boot?.files.get('/grub/grubenv');
  const before = parseGrubenv(file?.content);
  const { slot, trial } = grubChoice(valid, before);
  const written = (boot && file?.clusters.map((cluster) => boot.placeOf(cluster))) ?? [];
  const start = startOfSlot(boot, trial ?? slot, trial !== null);
  const answer = [start, ...complaints(boot, before)].join('; ');
  return { answer, valid, before, after: afterGrub(valid, before), written };
}

/** What GRUB says on its way: between a valid slot and the name of its host that disk is looked for elsewhere first. */
function complaints(boot: FatVolume | null, grubenv: Grubenv | null): string[] {
  const host = grubenv?.get('moved') || grubenv?.get('host');
  const name = `/warmboot/host-${host}`;
  return host && !isFile(boot, name) ? [`error: no such device: ${name}.`] : [];
}

function isFile(boot: FatVolume | null, path: string): boolean {
  return boot?.files.get(path)?.isFolder === false;
}

function startOfSlot(boot: FatVolume | null, slot: string | null, isTrial: boolean): string {
  if (boot === null || slot === null) return NO_SLOT;
  const content = (name: string) => boot.files.get(`/warmboot/${slot}/${name}`)?.content ?? Buffer.alloc(0);
  const config = content('slot.cfg').toString('latin1');
  const words = (name: string) => new RegExp(`^set ${name}='(.*)'$`, 'm').exec(config)?.[1] ?? '';
  const line = [`BOOT_IMAGE=/warmboot/${slot}/vmlinuz`, words('slot_append')];
  if (isTrial) line.push(words('slot_trial'));
  return startedWith(
    fnv1a(textOfKernel(content('vmlinuz'))),
    fnv1a(content('initrd.img')),
    line.join(' ').trim(),
  );
}
