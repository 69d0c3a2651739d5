/** What `try` must know of a disk layout, `images/disks/NAME.json`. */
export interface TryLayout {
  readonly name: string;
  readonly table: 'gpt' | 'msdos';
  readonly slots: number;
  readonly slotBytes: number;
}

/**
 * The layout that an image is tried on: the smallest disk whose slots hold it, GPT before msdos.
 * @param filesystemBytes of the image
 * @throws Error with one sentence when none does
 */
export function layoutFor(what: string, filesystemBytes: number, layouts: readonly TryLayout[]): string {
  const bySize = layouts.toSorted(
    (a, b) =>
      a.slots * a.slotBytes - b.slots * b.slotBytes ||
      a.table.localeCompare(b.table) ||
      a.name.localeCompare(b.name),
  );
  const found = bySize.find(({ slotBytes }) => slotBytes >= filesystemBytes);
  if (found) return found.name;
  const largest = Math.max(0, ...layouts.map(({ slotBytes }) => slotBytes));
  throw new Error(
    `${what} needs slots of ${filesystemBytes} bytes, those of the layouts here have ${largest} at most: write a layout with larger slots into images/disks, or build the image smaller`,
  );
}
