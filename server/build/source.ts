import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { Recipe } from '../contract/image-json.ts';
import { BuildError } from './build-error.ts';
import { ensureBase } from './docker/base.ts';
import { readContextTree } from './docker/context-tree.ts';
import type { DockerOptions } from './docker/docker.ts';
import { findImage } from './docker/docker.ts';
import { buildContext, buildFolder } from './docker/docker-build.ts';
import type { BuildRequest, Report } from './messages.ts';
import { recipeOf } from './recipe.ts';

/** Where an image comes from, looked at so far that what is wrong with it is told before anything is built. */
export interface Source {
  readonly recipe: Recipe;
  /** @returns Docker's image id */
  build(docker: Docker, work: string, report: Report, signal: AbortSignal): Promise<string>;
}

/** @throws BuildError `recipe` */
export async function openSource(request: BuildRequest, imagesDir: string): Promise<Source> {
  const { name, overrides, source = { kind: 'folder' } } = request;
  const options: DockerOptions = {
    buildArguments: request.buildArguments ?? {},
    secrets: new Map(
      Object.entries(request.secrets ?? {}).map(([id, text]) => [id, Buffer.from(text, 'base64')]),
    ),
    target: request.target ?? null,
  };
  switch (source.kind) {
    case 'folder':
      return {
        recipe: recipeOf(await folderRecipe(join(imagesDir, name), name), name, overrides),
        build: (docker, work, report, signal) =>
          buildFolder(docker, { imagesDir, name, options, work }, report, signal),
      };
    case 'context': {
      const context = readContextTree(source.tar, source.dockerfile);
      return {
        recipe: recipeOf(context.recipe, name, overrides),
        build: (docker, work, report, signal) =>
          buildContext(docker, { imagesDir, name, options, work, context }, report, signal),
      };
    }
    case 'reference':
      return {
        recipe: recipeOf(null, name, overrides),
        build: (docker, _work, report, signal) => finishedImage(docker, source.reference, report, signal),
      };
    default:
      return source satisfies never;
  }
}

/** A folder of ours says what it is: the default is for what comes from elsewhere. */
async function folderRecipe(folder: string, name: string): Promise<string> {
  return readFile(join(folder, 'image.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'there is no image.json in its folder' : error.message;
    throw new BuildError('recipe', `The image ${name} cannot be built: ${why}.`);
  });
}

async function finishedImage(
  docker: Docker,
  reference: string,
  report: Report,
  signal: AbortSignal,
): Promise<string> {
  await ensureBase(docker, reference, report, signal);
  const image = await findImage(docker, reference);
  if (image) return image.id;
  throw new BuildError('base', `Docker no longer has ${reference}. Pull or import it again.`);
}
