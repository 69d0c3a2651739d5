import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { ensureBase } from './base.ts';
import { BuildError } from './build-error.ts';
import { buildDockerfile, findImage } from './docker.ts';
import { findReferences } from './dockerfile.ts';
import type { Report } from './messages.ts';

const OWN = /^warmboot\/([a-z0-9][a-z0-9._-]*)(?::latest)?$/;

/** The name in Docker of what an images/NAME folder builds. */
export function dockerReference(name: string): string {
  return `warmboot/${name}:latest`;
}

export interface FolderBuild {
  readonly imagesDir: string;
  readonly name: string;
  readonly buildArguments: Readonly<Record<string, string>>;
}

/**
 * Builds images/NAME in Docker, and first what its Dockerfile mentions: `warmboot/X` from images/X, other images by
 * finding, pulling or making them.
 * @param ancestors names on the way here, to refuse a circle
 * @returns Docker's image id
 */
export async function buildFolder(
  docker: Docker,
  build: FolderBuild,
  report: Report,
  signal: AbortSignal,
  ancestors: readonly string[] = [],
): Promise<string> {
  const { imagesDir, name, buildArguments } = build;
  const folder = join(imagesDir, name);
  const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8').catch((error: Error) => {
    throw new BuildError('recipe', `The image ${name} has no readable Dockerfile: ${error.message}.`);
  });
  for (const reference of findReferences(dockerfile, buildArguments).images) {
    const own = OWN.exec(reference)?.[1];
    if (own === undefined) await ensureBase(docker, reference, report, signal);
    else if (ancestors.includes(own) || own === name)
      throw new BuildError(
        'recipe',
        `The Dockerfiles of ${[...ancestors, name, own].join(' → ')} need each other.`,
      );
    else if (await isFolder(join(imagesDir, own)))
      // Build arguments are meant for the image that was asked for.
      await buildFolder(docker, { imagesDir, name: own, buildArguments: {} }, report, signal, [
        ...ancestors,
        name,
      ]);
    else if (!(await findImage(docker, reference)))
      throw new BuildError('recipe', `${name} needs ${reference}, but there is no folder images/${own}.`);
  }
  return buildDockerfile(docker, { folder, tag: dockerReference(name), buildArguments }, report, signal);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
