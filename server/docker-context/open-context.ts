import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { WarmbootError } from '../core/errors.ts';
import { type Ignore, NOTHING_IGNORED, readDockerignore } from './dockerignore.ts';

/** A folder to build from, and its Dockerfile. */
export interface DockerContext {
  readonly folder: string;
  /** The Dockerfile as the builder finds it in the tar. */
  readonly dockerfile: string;
  readonly ignore: Ignore;
  /** Files that are sent whatever .dockerignore says: name in the tar → path here. */
  readonly always: ReadonlyMap<string, string>;
}

/** Where a Dockerfile from outside the context goes in the tar, with the image.json beside it. */
export const FOREIGN_DOCKERFILE = '.warmboot-build/Dockerfile';

/**
 * Looks at a context before it is sent. Dockerfile.dockerignore beside the Dockerfile is taken before the context's
 * own .dockerignore (BuildKit's rule). The image.json beside the Dockerfile, or in the context's root, goes along.
 * @param file path of the Dockerfile; left out: `Dockerfile` in the folder
 * @throws WarmbootError `invalid`
 */
export async function openContext(given: string, file?: string): Promise<DockerContext> {
  const root = await stat(given).catch(missing(`The context ${given}`));
  if (!root.isDirectory())
    throw new WarmbootError(
      'invalid',
      `The context ${given} is no folder. Give a folder, and the Dockerfile apart.`,
    );
  const folder = path.resolve(given);
  const dockerfile = path.resolve(file ?? path.join(folder, 'Dockerfile'));
  await readFile(dockerfile).catch(missing('The Dockerfile', dockerfile));
  const within = path.relative(folder, dockerfile).split(path.sep).join('/');
  const isForeign = within.startsWith('../') || path.isAbsolute(within);
  const inTar = isForeign ? FOREIGN_DOCKERFILE : within;
  const always = new Map([[inTar, dockerfile]]);
  for (const place of [path.dirname(dockerfile), folder]) {
    const recipe = path.join(place, 'image.json');
    const known = await exists(recipe);
    const name = place === folder ? 'image.json' : path.posix.join(path.posix.dirname(inTar), 'image.json');
    if (known) always.set(name, recipe);
  }
  const rules = await ignoreFile(folder, dockerfile);
  if (rules === null) return { folder, dockerfile: inTar, ignore: NOTHING_IGNORED, always };
  // The server applies it too, for it hides from COPY what is sent all the same.
  always.set(rules === `${dockerfile}.dockerignore` ? `${inTar}.dockerignore` : '.dockerignore', rules);
  const text = await readFile(rules, 'utf8').catch(missing(rules));
  return { folder, dockerfile: inTar, ignore: readDockerignore(text, path.basename(rules)), always };
}

async function ignoreFile(folder: string, dockerfile: string): Promise<string | null> {
  for (const place of [`${dockerfile}.dockerignore`, path.join(folder, '.dockerignore')])
    if (await exists(place)) return place;
  return null;
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

function missing(what: string, where?: string): (error: NodeJS.ErrnoException) => never {
  return ({ code, message }) => {
    const named = where === undefined ? what : `${what} ${where}`;
    throw new WarmbootError('invalid', `${named} ${reason(code, message)}.`);
  };
}

/** Why a file of the context can't be had, as the rest of a sentence. */
export function reason(code: string | undefined, message: string): string {
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'EISDIR') return 'is a folder';
  return `cannot be read (${message})`;
}
