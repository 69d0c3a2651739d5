import type { DiskLayout } from './disk-layout.ts';
import { WarmbootError } from './errors.ts';

/**
 * Refuses an image that the slots of a layout cannot hold.
 * @param what the image as it was named
 * @param layouts all that there are, by name: those that would hold it are named
 * @throws WarmbootError `invalid`
 */
export function requireRoom(
  what: string,
  filesystemBytes: number,
  { name, slotBytes }: Pick<DiskLayout, 'name' | 'slotBytes'>,
  layouts: ReadonlyMap<string, Pick<DiskLayout, 'slotBytes'>>,
): void {
  if (filesystemBytes <= slotBytes) return;
  const larger = [...layouts]
    .filter(([, layout]) => layout.slotBytes >= filesystemBytes)
    .map(([each]) => each);
  const remedy =
    larger.length > 0
      ? `Take a layout with larger slots (${larger.join(', ')})`
      : `No layout here has slots of that size: write one into images/disks`;
  throw new WarmbootError(
    'invalid',
    `The filesystem of ${what.slice(0, 200)} has ${filesystemBytes} bytes, a slot of layout "${name}" has ${slotBytes}. ${remedy}, or build the image smaller.`,
  );
}
