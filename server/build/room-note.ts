import type { Recipe } from '../contract/image-json.ts';

const GIB = 1024 ** 3;

/**
 * What to tell whoever builds an image that no disk of this server could hold. It is built all the same: another server may
 * have such a layout.
 * @param largestSlotBytes of all disk layouts of the server
 * @returns one line; null when there is nothing to tell
 */
export function roomNote(name: string, recipe: Recipe, largestSlotBytes: number): string | null {
  if (recipe.kind !== 'os' || recipe.filesystem.size <= largestSlotBytes) return null;
  return `note: the filesystem of ${name} has ${gib(recipe.filesystem.size)}, and no disk layout here has slots of that size (the largest: ${gib(largestSlotBytes)}). Add a layout to images/disks, or build it with a smaller "size".`;
}

function gib(bytes: number): string {
  return `${Number((bytes / GIB).toFixed(2))} GiB`;
}
