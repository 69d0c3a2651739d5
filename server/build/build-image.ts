import { hash } from 'node:crypto';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recipe } from '../contract/image-json.ts';
import { CHUNKING } from '../core/chunks.ts';
import type { Digest } from '../core/digest.ts';
import {
  frameOrder,
  type ImageIndex,
  layOutFrames,
  serializeFrames,
  serializeIndex,
} from '../core/image-index.ts';
import { BuildError } from './build-error.ts';
import { type CheckFailure, checkInstallerImage, checkOsImage } from './checks.ts';
import { scanChunks } from './chunk-scan.ts';
import { copyOut } from './copy-file.ts';
import { connectDocker, type DockerImage, findImage, requireDocker } from './docker.ts';
import { buildFolder, dockerReference } from './docker-build.ts';
import { FILESYSTEM_UUID, makeFilesystem } from './filesystem.ts';
import { freeExtents } from './free-blocks.ts';
import { findKernel } from './kernel.ts';
import { mergeLayers, saveLayers } from './layers.ts';
import type { BuildRequest, BuildResult, Report } from './messages.ts';
import { readOsRelease } from './os-release.ts';
import { packChunks } from './pack.ts';
import { readRecipe } from './recipe.ts';
import type { BuildStorage, ImageDraft } from './storage.ts';

/** Frame lengths (`bytes`) of the chunks that are stored; the others are not in the map. */
export type ChunkLookup = (
  sha256s: readonly string[],
) => Promise<ReadonlyMap<string, { readonly bytes: number }>>;

export interface BuildSurroundings {
  readonly dataDir: string;
  readonly imagesDir: string;
  readonly storage: BuildStorage;
  readonly lookup: ChunkLookup;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** The folder of a build: its log stays, `work` goes when it ends. */
export function buildFolderOf(dataDir: string, id: string): { folder: string; work: string; log: string } {
  const folder = join(dataDir, 'builds', id);
  return { folder, work: join(folder, 'work'), log: join(folder, 'log') };
}

/**
 * The whole way from images/NAME to an image that lies in the data folder, synced, under its final names. When it
 * fails or is stopped nothing of it remains but the log.
 * @throws BuildError
 */
export async function buildImage(request: BuildRequest, around: BuildSurroundings): Promise<BuildResult> {
  const { dataDir, imagesDir, storage, report, signal } = around;
  const recipe = await readRecipe(join(imagesDir, request.name), request.name);
  const docker = connectDocker();
  await requireDocker(docker);
  const folderBuild = { imagesDir, name: request.name, buildArguments: request.buildArguments ?? {} };
  const id = await buildFolder(docker, folderBuild, report, signal);
  if (recipe.kind === 'tool')
    return { kind: 'tool', reference: dockerReference(request.name), dockerImage: id };
  const image = await findImage(docker, id);
  if (!image)
    throw new BuildError('dockerfile', `Docker built ${request.name} but no longer has it. Build it again.`);

  const { work } = buildFolderOf(dataDir, request.id);
  const draft = await storage.draft(request.id);
  try {
    await mkdir(work, { recursive: true });
    await requireSpace(work, image.bytes);
    report({ phase: 'layers', message: 'saving layers', bytesDone: 0, bytesTotal: image.bytes });
    const layers = await saveLayers(docker, image, work, report, signal);
    const made = await storeTree({ request, recipe, image, layers, work, draft }, around);
    await rm(work, { recursive: true, force: true });
    return made;
  } catch (error) {
    await draft.discard();
    await rm(work, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw await noSpace(dataDir, image.bytes);
    throw error;
  }
}

interface Making {
  readonly request: BuildRequest;
  readonly recipe: Exclude<Recipe, { kind: 'tool' }>;
  readonly image: DockerImage;
  readonly layers: Awaited<ReturnType<typeof saveLayers>>;
  readonly work: string;
  readonly draft: ImageDraft;
}

async function storeTree(making: Making, around: BuildSurroundings): Promise<BuildResult> {
  const { request, recipe, image, work, draft } = making;
  const { lookup, report, signal } = around;
  report({ phase: 'layers', message: `merging ${making.layers.length} layers` });
  const tree = mergeLayers(making.layers);
  const kernel = findKernel(tree);
  const os = readOsRelease(tree);
  const failures =
    recipe.kind === 'os' ? checkOsImage({ tree, kernel, os }) : checkInstallerImage({ tree, kernel, os });
  if (failures.length > 0 || !kernel?.initrd) throw checkError(request.name, failures);

  const kernelFile = await copyOut(kernel.kernel.inode, join(draft.folder, 'kernel'));
  const initrdFile = await copyOut(kernel.initrd.inode, join(draft.folder, 'initrd'));
  const partition = join(work, 'partition');
  if (recipe.kind === 'os') {
    report({ phase: 'filesystem', message: `making ${recipe.filesystem.type}` });
    await makeFilesystem(tree, partition, recipe.filesystem.size, report, signal);
  }
  const chunks =
    recipe.kind === 'os'
      ? await scanChunks(partition, await freeExtents(partition, signal), report, signal)
      : [];
  const index: ImageIndex = {
    version: 1,
    requires: [],
    kind: recipe.kind,
    architecture: image.architecture,
    os: { id: os?.id ?? 'linux', version: os?.version ?? '', name: os?.name ?? 'Linux' },
    filesystem:
      recipe.kind === 'os'
        ? { type: recipe.filesystem.type, bytes: recipe.filesystem.size, uuid: FILESYSTEM_UUID }
        : null,
    kernel: { release: kernel.release, ...kernelFile },
    initrd: initrdFile,
    append: recipe.append,
    chunking: CHUNKING,
    chunks,
  };
  const indexText = serializeIndex(index);
  const digest = `sha256:${hash('sha256', indexText)}` as Digest;

  const different = frameOrder(chunks).map(({ sha256 }) => sha256);
  const stored = different.length > 0 ? await lookup(different) : new Map<string, { bytes: number }>();
  const packed =
    recipe.kind === 'os' ? await packChunks(partition, chunks, stored, draft.append, report, signal) : [];
  const frameBytes = new Map(packed.map(({ sha256, bytes }) => [sha256, bytes]));
  const frames = layOutFrames(
    digest,
    chunks,
    (sha256) => frameBytes.get(sha256) ?? stored.get(sha256)?.bytes,
  );
  if (!frames.ok) throw new Error(frames.reason);
  const framesText = serializeFrames(frames.value);
  signal.throwIfAborted();
  report({ phase: 'pack', message: 'syncing' });
  const { packBytes } = await draft.publish(digest, { 'index.json': indexText, 'frames.json': framesText });
  return {
    kind: recipe.kind,
    digest,
    dockerImage: image.id,
    architecture: index.architecture,
    os: index.os,
    append: index.append,
    filesystemBytes: index.filesystem?.bytes ?? null,
    kernel: index.kernel,
    initrd: index.initrd,
    indexBytes: Buffer.byteLength(indexText),
    framesBytes: Buffer.byteLength(framesText),
    framesHash: hash('sha256', framesText),
    dataBytes: frames.value.bytes,
    chunkCount: different.length,
    reusedChunks: different.length - packed.length,
    pack: packBytes > 0 ? { id: request.id, bytes: packBytes } : null,
    chunks: packed,
  };
}

function checkError(name: string, failures: readonly CheckFailure[]): BuildError {
  const lines = failures.map(({ check, message, line }) => `  ${check}: ${message}.\n    add: ${line}`);
  return new BuildError('check', [`The image ${name} was built, but is not accepted:`, ...lines].join('\n'));
}

/** The layers, the filesystem and a pack of about half of it lie on the disk at the same time. */
function spaceFor(imageBytes: number): number {
  return Math.ceil(imageBytes * 2.75);
}

async function requireSpace(folder: string, imageBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < spaceFor(imageBytes)) throw await noSpace(folder, imageBytes);
}

async function noSpace(folder: string, imageBytes: number): Promise<BuildError> {
  const { bavail, bsize } = await statfs(folder);
  const mebibytes = (bytes: number) => Math.ceil(bytes / 1024 ** 2);
  return new BuildError(
    'no-space',
    `The disk of the data folder is full: the build needs about ${mebibytes(spaceFor(imageBytes))} MiB, ${mebibytes(bavail * bsize)} MiB are free. Remove images, or give it more room.`,
  );
}
