import { filesystemFault, parseRecipe, type Recipe } from '../contract/image-json.ts';
import type { RecipeOverrides } from '../core/build-ports.ts';
import { BuildError } from './build-error.ts';

/** What an image without an image.json is made into: an OS on ext4 that speaks on screen and serial line. */
const DEFAULT: Recipe = {
  kind: 'os',
  filesystem: { type: 'ext4', size: 2 * 1024 ** 3 },
  append: 'console=tty0 console=ttyS0,115200n8',
  agent: false,
};

/**
 * What shall be made of an image: image.json, or the default where there is none, and before both what the order says.
 * @param text of image.json; null: there is none
 * @throws BuildError `recipe` with each fault and its place
 */
export function recipeOf(text: string | null, name: string, overrides: RecipeOverrides = {}): Recipe {
  const read = text === null ? ({ ok: true, value: DEFAULT } as const) : parseRecipe(text);
  if (!read.ok)
    throw new BuildError('recipe', [`image.json of ${name} is not valid:`, ...read.faults].join('\n  '));
  const recipe = read.value;
  const { filesystem, sizeBytes, append, addAgent } = overrides;
  if (recipe.kind === 'os') {
    const wanted = {
      type: filesystem ?? recipe.filesystem.type,
      size: sizeBytes ?? recipe.filesystem.size,
    };
    const fault = filesystemFault(wanted);
    if (fault !== null)
      throw new BuildError(
        'recipe',
        `The filesystem of ${name} cannot be made: ${fault}. Order another size.`,
      );
    return {
      kind: 'os',
      filesystem: wanted,
      append: append ?? recipe.append,
      agent: addAgent ?? recipe.agent,
    };
  }
  if (filesystem !== undefined || sizeBytes !== undefined || addAgent !== undefined)
    throw refusal(name, recipe.kind, 'a filesystem, a size or the agent');
  if (recipe.kind === 'installer') return { kind: 'installer', append: append ?? recipe.append };
  if (append !== undefined) throw refusal(name, recipe.kind, 'kernel arguments');
  return recipe;
}

function refusal(name: string, kind: string, what: string): BuildError {
  return new BuildError(
    'recipe',
    `${name} is of kind "${kind}" (image.json), which has no use for ${what}. Leave that out, or change its kind.`,
  );
}
