import { hash } from 'node:crypto';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { Recipe } from '../contract/image-json.ts';
import type { BuildChecks } from '../core/build-ports.ts';
import { CHUNKING } from '../core/chunks.ts';
import type { Digest } from '../core/digest.ts';
import type { ImageDraft } from '../core/file-ports.ts';
import { type ImageIndex, parseIndex, serializeIndex } from '../core/image-index.ts';
import type { FileTree } from '../filesystems/file-tree.ts';
import { checkInstallerImage, checkOsImage } from './accept/checks.ts';
import { ext4ProfileFor } from './accept/filesystem-profile.ts';
import { findKernel } from './accept/kernel.ts';
import { readOsRelease } from './accept/os-release.ts';
import { labelTree } from './accept/selinux/label-tree.ts';
import { verdictOf } from './accept/verdict.ts';
import { buildAgent, hasAgent, saveAgent } from './add-agent.ts';
import { argumentsWithInit } from './agent-init.ts';
import { BuildError } from './build-error.ts';
import { buildFolderOf } from './build-folder.ts';
import { connectDocker, type DockerImage, findImage, requireDocker } from './docker/docker.ts';
import { dockerReference } from './docker/docker-build.ts';
import { recordLayers } from './layer-record.ts';
import type { BuildRequest, BuildResult, Report } from './messages.ts';
import { FILESYSTEM_UUID, planFilesystem } from './plan-filesystem.ts';
import { roomNote } from './room-note.ts';
import { openSource, type Source } from './source.ts';
import { spareMemory } from './spare-memory.ts';
import type { BuildStorage } from './storage.ts';
import { storeLoader } from './store-loader.ts';
import { type StoredPartition, storePartition } from './store-partition.ts';
import { copyOut } from './tree/copy-file.ts';
import { countFiles } from './tree/count-files.ts';
import { addLayers, mergeLayers, type SavedLayer, saveLayers } from './tree/layers.ts';

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

/**
 * The whole way from images/NAME to an image that lies in the data folder, synced, under temporary names. When it
 * fails or is stopped nothing of it remains but the log.
 * @throws BuildError
 */
export async function buildImage(request: BuildRequest, around: BuildSurroundings): Promise<BuildResult> {
  const source = await openSource(request, around.imagesDir);
  const docker = connectDocker();
  await requireDocker(docker);
  const { work } = buildFolderOf(around.dataDir, request.id);
  await mkdir(work, { recursive: true });
  try {
    return await buildIn(work, { docker, source, request }, around);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function buildIn(
  work: string,
  { docker, source, request }: { docker: Docker; source: Source; request: BuildRequest },
  around: BuildSurroundings,
): Promise<BuildResult> {
  const { dataDir, imagesDir, storage, report, signal } = around;
  const { recipe } = source;
  const note = roomNote(request.name, recipe, request.largestSlotBytes ?? Number.POSITIVE_INFINITY);
  if (note !== null) report({ phase: 'base', message: note, note: true });
  const wantsAgent = recipe.kind === 'os' && recipe.agent;
  const agent = wantsAgent ? await buildAgent(docker, { imagesDir, work }, report, signal) : null;
  const id = await source.build(docker, work, report, signal);
  if (recipe.kind === 'tool')
    return { kind: 'tool', reference: dockerReference(request.name), dockerImage: id };
  const image = await findImage(docker, id);
  if (!image)
    throw new BuildError('dockerfile', `Docker built ${request.name} but no longer has it. Build it again.`);

  const draft = await storage.draft(request.id);
  try {
    await requireSpace(work, image.bytes);
    report({ phase: 'layers', message: 'saving layers', bytesDone: 0, bytesTotal: image.bytes });
    const layers = await saveLayers(docker, image, work, report, signal);
    report({ phase: 'layers', message: `merging ${layersOf(layers.length)}` });
    const tree = mergeLayers(layers);
    if (agent && !hasAgent(tree)) {
      const more = await saveAgent(docker, agent, work, around);
      addLayers(tree, more, layers.length);
      layers.push(...more);
    }
    const files = countFiles(tree);
    spareMemory(files);
    report({ phase: 'layers', message: `${layersOf(layers.length)}, ${files} files` });
    return await storeTree({ request, recipe, image, tree, layers, draft }, around);
  } catch (error) {
    await draft.discard();
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw await noSpace(dataDir, image.bytes);
    throw error;
  }
}

interface Making {
  readonly request: BuildRequest;
  readonly recipe: Exclude<Recipe, { kind: 'tool' }>;
  readonly image: DockerImage;
  readonly tree: FileTree;
  readonly layers: readonly SavedLayer[];
  readonly draft: ImageDraft;
}

async function storeTree(making: Making, around: BuildSurroundings): Promise<BuildResult> {
  const { request, recipe, image, tree, layers, draft } = making;
  const { lookup, report, signal } = around;
  const kernel = findKernel(tree);
  const os = readOsRelease(tree);
  const failures =
    recipe.kind === 'os'
      ? [
          ...labelTree(tree, os),
          ...(await checkOsImage({
            tree,
            kernel,
            os,
            filesystem: recipe.filesystem.type,
            append: recipe.append,
          })),
        ]
      : await checkInstallerImage({ tree, kernel, os });
  const checks = verdictOf(recipe.kind, failures);
  if (failures.length > 0 || !kernel?.initrd) throw checkError(request.name, checks);

  const kernelFile = await copyOut(kernel.kernel.inode, join(draft.folder, 'kernel'));
  const initrdFile = await copyOut(kernel.initrd.inode, join(draft.folder, 'initrd'));
  const loader = recipe.kind === 'installer' ? await storeLoader(tree, join(draft.folder, 'loader')) : null;
  const plan =
    recipe.kind === 'os'
      ? planFilesystem(tree, recipe.filesystem, ext4ProfileFor(tree, kernel.release))
      : null;
  const partition = plan ? await storePartition(plan, lookup, draft.append, report, signal) : NO_PARTITION;
  const { chunks, packed } = partition;
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
    ...(loader && { loader }),
    append: recipe.kind === 'os' ? argumentsWithInit(tree, recipe.append) : recipe.append,
    chunking: CHUNKING,
    chunks,
  };
  const indexText = serializeIndex(index);
  const digest = `sha256:${hash('sha256', indexText)}` as Digest;

  // What readers would refuse must not be stored: a PRETTY_NAME or a kernel release may be anything.
  const readable = parseIndex(indexText);
  if (!readable.ok)
    throw new BuildError(
      'check',
      `The image ${request.name} was built, but is not accepted: ${readable.reason}.`,
    );
  signal.throwIfAborted();
  report({ phase: 'pack', message: 'syncing' });
  const { packBytes } = await draft.seal({ 'index.json': indexText });
  return {
    kind: recipe.kind,
    digest,
    dataBytes: partition.dataBytes,
    chunkCount: partition.different,
    reusedChunks: partition.different - packed.length,
    packBytes,
    chunks: packed,
    layers: plan && recordLayers(layers, tree, plan),
    checks,
  };
}

function layersOf(count: number): string {
  return count === 1 ? '1 layer' : `${count} layers`;
}

/** An installer has none. */
const NO_PARTITION: StoredPartition = { chunks: [], packed: [], different: 0, dataBytes: 0 };

function checkError(name: string, checks: BuildChecks): BuildError {
  const lines = checks.failed.map(({ check, message, line }) => `  ${check}: ${message}.\n    add: ${line}`);
  const lacksAgent = checks.failed.some(({ check }) => check === 'agent');
  if (lacksAgent)
    lines.push('  The builder puts the agent in itself with --add-agent, or "agent": true in image.json.');
  const what = [`The image ${name} was built, but is not accepted:`, ...lines].join('\n');
  return new BuildError('check', what, checks);
}

/** The layers and a pack of about half of them lie on the disk at the same time. */
function spaceFor(imageBytes: number): number {
  return Math.ceil(imageBytes * 1.75);
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
