import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { execa } from 'execa';
import { BuildError } from './build-error.ts';
import { PINNED_ENVIRONMENT } from './e2fsprogs.ts';
import type { FileTree } from './file-tree.ts';
import { mergedTar } from './merged-tar.ts';
import type { Report } from './messages.ts';
import { setXattrs } from './xattrs.ts';

/**
 * One UUID for every image: ext4 seeds its checksums with it, so equal blocks stay equal between images. Root is
 * addressed by PARTUUID, never by this. The hash seed decides the order in directories.
 */
export const FILESYSTEM_UUID = '7761726d-626f-4f74-8000-000000000001';
const HASH_SEED = '7761726d-626f-4f74-8000-000000000002';

const MIN_INODE_RATIO = 2048;
const INODE_RATIO = 16384;
const REPORT_EVERY = 64 * 1024 * 1024;

/** What the files of a tree need on ext4, at least. */
export interface TreeSize {
  readonly contentBytes: number;
  readonly entries: number;
}

export function measureTree(tree: FileTree): TreeSize {
  let contentBytes = 0;
  let entries = 0;
  const seen = new Set<unknown>();
  for (const { node } of tree.inLayerOrder()) {
    if (seen.has(node.inode)) continue;
    if (!node.children) seen.add(node.inode);
    entries += 1;
    contentBytes += Math.ceil(node.inode.entry.size / 4096) * 4096;
  }
  return { contentBytes, entries };
}

/**
 * Makes an ext4 of exactly `bytes` in a sparse file, filled with the tree; no root, no loop device, no mount. The same
 * tree gives the same bytes on any machine with the same e2fsprogs (1.47.1 or newer, for reading a tar).
 * @throws BuildError `filesystem-full`, `tool`
 */
export async function makeFilesystem(
  tree: FileTree,
  file: string,
  bytes: number,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const size = measureTree(tree);
  if (size.contentBytes > bytes) throw full(size, bytes);
  const handle = await open(file, 'wx', 0o600);
  await handle.truncate(bytes).finally(() => handle.close());
  await fillFilesystem(tree, file, bytes, size, report, signal);
  await setXattrs(tree, file, signal);
}

async function fillFilesystem(
  tree: FileTree,
  file: string,
  bytes: number,
  size: TreeSize,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const options = `hash_seed=${HASH_SEED},root_owner=0:0,lazy_itable_init=1,nodiscard`;
  const arguments_ = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-T',
    'ext4',
    '-m',
    '1',
    '-i',
    String(inodeRatio(size.entries, bytes)),
  ];
  // -E last wins as a whole, so there is one.
  const making = execa(
    '/sbin/mke2fs',
    [...arguments_, '-U', FILESYSTEM_UUID, '-E', options, '-d', '-', file],
    {
      env: PINNED_ENVIRONMENT,
      stdin: 'pipe',
      all: true,
      reject: false,
      cancelSignal: signal,
      forceKillAfterDelay: 2_000,
    },
  );
  // Early death closes the pipe; the reason stands in its output.
  making.stdin.on('error', () => {});
  const ended = making.then(() => 'ended' as const);
  let written = 0;
  let told = 0;
  for (const part of mergedTar(tree)) {
    // mergedTar reuses its buffers, so each is awaited until the pipe has taken it.
    const drained = making.stdin.write(part) || once(making.stdin, 'drain').catch(() => 'ended');
    if ((await Promise.race([drained, ended])) === 'ended') break;
    written += part.length;
    if (written - told < REPORT_EVERY) continue;
    told = written;
    report({
      phase: 'filesystem',
      message: 'filling',
      bytesDone: told,
      bytesTotal: Math.max(told, size.contentBytes),
    });
  }
  making.stdin.end();
  const result = await making;
  signal.throwIfAborted();
  if (result.failed) throw explain(String(result.all ?? ''), result.code, size, bytes);
}

function explain(output: string, code: string | undefined, size: TreeSize, bytes: number): Error {
  if (code === 'ENOENT')
    return new BuildError('tool', 'mke2fs is missing: apt-get install e2fsprogs libarchive13t64.');
  if (/No space left on device/.test(output)) return Object.assign(new Error(output), { code: 'ENOSPC' });
  if (/Could not allocate (block|inode)|No free space/.test(output)) return full(size, bytes);
  const log = output.trim().split('\n').slice(-10);
  const hint = 'It must be 1.47.1 or newer and find libarchive (apt-get install e2fsprogs libarchive13t64).';
  return new BuildError(
    'tool',
    [`mke2fs could not make the filesystem. ${hint}`, ...log.map((line) => `  | ${line}`)].join('\n'),
  );
}

function full(size: TreeSize, bytes: number): BuildError {
  const have = `${mebibytes(bytes)} MiB`;
  return new BuildError(
    'filesystem-full',
    `The files do not fit: ${size.entries} files with ${mebibytes(size.contentBytes)} MiB of content, and ext4's own tables, are more than the ${have} of the filesystem. Raise "size" in image.json, or remove files in the Dockerfile.`,
  );
}

/** The usual ratio unless the image has so many small files that inodes would run out before space. */
function inodeRatio(entries: number, bytes: number): number {
  let ratio = INODE_RATIO;
  while (ratio > MIN_INODE_RATIO && bytes / ratio < entries * 1.5) ratio /= 2;
  return ratio;
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 1024 ** 2);
}
