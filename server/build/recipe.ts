import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRecipe, type Recipe } from '../contract/image-json.ts';
import { BuildError } from './build-error.ts';

/** What images/NAME asks for. @throws BuildError `recipe` with each fault and its place */
export async function readRecipe(folder: string, name: string): Promise<Recipe> {
  const text = await readFile(join(folder, 'image.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'there is no image.json in its folder' : error.message;
    throw new BuildError('recipe', `The image ${name} cannot be built: ${why}.`);
  });
  const recipe = parseRecipe(text);
  if (recipe.ok) return recipe.value;
  throw new BuildError('recipe', [`image.json of ${name} is not valid:`, ...recipe.faults].join('\n  '));
}
