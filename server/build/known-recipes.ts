import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRecipe } from '../contract/image-json.ts';
import type { KnownRecipe } from '../core/build-ports.ts';
import { parseImageRef } from '../core/digest.ts';

/** What can be built by its name alone: the folders below images/ that have an image.json, in the order of their names. */
export async function knownRecipes(imagesDir: string): Promise<KnownRecipe[]> {
  // A server that was installed without them builds only what it is sent.
  const folders = await readdir(imagesDir, { withFileTypes: true }).catch(() => []);
  const names = folders.filter((each) => each.isDirectory() && isName(each.name)).map(({ name }) => name);
  const found = await Promise.all(names.sort().map((name) => recipeIn(imagesDir, name)));
  return found.filter((recipe) => recipe !== null);
}

async function recipeIn(imagesDir: string, name: string): Promise<KnownRecipe | null> {
  const text = await readFile(join(imagesDir, name, 'image.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const read = parseRecipe(text);
  // What is wrong with it is told to who builds it.
  if (!read.ok) return { name, kind: null, filesystem: null };
  const { value } = read;
  if (value.kind !== 'os') return { name, kind: value.kind, filesystem: null };
  return { name, kind: 'os', filesystem: { type: value.filesystem.type, bytes: value.filesystem.size } };
}

function isName(folder: string): boolean {
  return parseImageRef(folder)?.kind === 'tag' && !folder.includes(':');
}
