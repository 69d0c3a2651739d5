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

/** As `images --json` lists it. */
export interface ListedImage {
  readonly digest: string;
  readonly tags: readonly string[];
  readonly filesystemBytes: number | null;
}

/**
 * How much room an image needs in a slot; 0 for an installer: `disk` then says what is wrong with it.
 * @throws Error with one sentence when it is not there: then it may have been meant as a file as well
 */
export function filesystemBytesIn(images: readonly ListedImage[], what: string): number {
  const names = [what, `${what}:latest`];
  const found = images.find(({ digest, tags }) => [digest, ...tags].some((name) => names.includes(name)));
  if (!found) throw new Error(`there is neither a file nor an image ${what}: see ./warmboot images`);
  return found.filesystemBytes ?? 0;
}
