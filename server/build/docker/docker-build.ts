import { createWriteStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type Docker from 'dockerode';
import { WarmbootError } from '../../core/errors.ts';
import { contextTar } from '../../docker-context/context-tar.ts';
import { openContext } from '../../docker-context/open-context.ts';
import { BuildError } from '../build-error.ts';
import type { Report } from '../messages.ts';
import { ensureBase } from './base.ts';
import { type ContextTree, readContextTree } from './context-tree.ts';
import { buildDockerfile, type DockerOptions, findImage, NO_OPTIONS } from './docker.ts';
import { findReferences } from './dockerfile.ts';

const OWN = /^warmboot\/([a-z0-9][a-z0-9._-]*)(?::latest)?$/;

/** The name in Docker of what an images/NAME folder builds. */
export function dockerReference(name: string): string {
  return `warmboot/${name}:latest`;
}

export interface FolderBuild {
  readonly imagesDir: string;
  readonly name: string;
  readonly options: DockerOptions;
  /** A folder for what is needed only now. */
  readonly work: string;
}

/** A context that was sent. */
export interface ContextBuild extends FolderBuild {
  readonly context: ContextTree;
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
  const { imagesDir, name, options, work } = build;
  const folder = join(imagesDir, name);
  const dockerfile = await readFile(join(folder, 'Dockerfile'), 'utf8').catch((error: Error) => {
    throw new BuildError('recipe', `The image ${name} has no readable Dockerfile: ${error.message}.`);
  });
  await ensureReferences(docker, build, dockerfile, report, signal, ancestors);
  const tar = join(work, `context-${name}.tar`);
  try {
    const opened = await openContext(folder);
    const skipped = (path: string) =>
      report({ phase: 'docker', message: `${path} is no file, folder or link: it is not sent` });
    await pipeline(contextTar(opened, skipped), createWriteStream(tar), { signal });
    const context = readContextTree(tar, opened.dockerfile);
    const order = { context, tag: dockerReference(name), options };
    return await buildDockerfile(docker, order, report, signal);
  } catch (error) {
    // What is wrong with the context is the user's to mend.
    throw error instanceof WarmbootError ? new BuildError('recipe', error.message) : error;
  } finally {
    await rm(tar, { force: true });
  }
}

/** Builds what was sent. What its Dockerfile mentions is there before, as for a folder. @returns Docker's image id */
export async function buildContext(
  docker: Docker,
  build: ContextBuild,
  report: Report,
  signal: AbortSignal,
): Promise<string> {
  const { name, options, context } = build;
  await ensureReferences(docker, build, context.dockerfile.text, report, signal, []);
  return buildDockerfile(docker, { context, tag: dockerReference(name), options }, report, signal);
}

async function ensureReferences(
  docker: Docker,
  { imagesDir, name, options, work }: FolderBuild,
  dockerfile: string,
  report: Report,
  signal: AbortSignal,
  ancestors: readonly string[],
): Promise<void> {
  for (const reference of findReferences(dockerfile, options.buildArguments).images) {
    const own = OWN.exec(reference)?.[1];
    if (own === undefined) await ensureBase(docker, reference, report, signal);
    else if (ancestors.includes(own) || own === name)
      throw new BuildError(
        'recipe',
        `The Dockerfiles of ${[...ancestors, name, own].join(' → ')} need each other.`,
      );
    else if (await isFolder(join(imagesDir, own)))
      await buildFolder(docker, { imagesDir, name: own, options: NO_OPTIONS, work }, report, signal, [
        ...ancestors,
        name,
      ]);
    else if (!(await findImage(docker, reference)))
      throw new BuildError('recipe', `${name} needs ${reference}, but there is no folder images/${own}.`);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
