import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { FileTree } from '../filesystems/file-tree.ts';
import { BuildError } from './build-error.ts';
import { type DockerImage, findImage, NO_OPTIONS } from './docker/docker.ts';
import { buildFolder } from './docker/docker-build.ts';
import type { Report } from './messages.ts';
import { type SavedLayer, saveLayers } from './tree/layers.ts';

/** Builds images/agent, whose layers can be put on top of any image. */
export async function buildAgent(
  docker: Docker,
  { imagesDir, work }: { imagesDir: string; work: string },
  report: Report,
  signal: AbortSignal,
): Promise<DockerImage> {
  const id = await buildFolder(
    docker,
    { imagesDir, name: 'agent', options: NO_OPTIONS, work },
    report,
    signal,
  );
  const image = await findImage(docker, id);
  if (image) return image;
  throw new BuildError('dockerfile', 'Docker built the agent but no longer has it. Build again.');
}

export function hasAgent(tree: FileTree): boolean {
  return tree.resolve('usr/lib/warmboot/agent') !== null;
}

/** The agent's layers, to be the last. */
export async function saveAgent(
  docker: Docker,
  agent: DockerImage,
  work: string,
  { report, signal }: { report: Report; signal: AbortSignal },
): Promise<SavedLayer[]> {
  report({ phase: 'layers', message: 'the image has no agent: adding it as the last layer' });
  const folder = join(work, 'agent');
  await mkdir(folder);
  const layers = await saveLayers(docker, agent, folder, report, signal);
  return layers.map((layer) => ({ ...layer, madeBy: 'the agent, added by the builder' }));
}
