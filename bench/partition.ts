import { createHash, hash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connectDocker, findImage } from '../server/build/docker/docker.ts';
import { partitionChunks } from '../server/build/partition-chunks.ts';
import { mergeLayers, saveLayers } from '../server/build/tree/layers.ts';
import { CHUNKING, type ChunkingRule } from '../server/core/chunks.ts';
import { planExt4 } from '../server/filesystems/ext4/plan.ts';
import type { FileTree } from '../server/filesystems/file-tree.ts';
import type { FilesystemPlan } from '../server/filesystems/piece.ts';
import { planXfs } from '../server/filesystems/xfs/plan.ts';

const BYTES = 2 * 2 ** 30;
const UUID = '7761726d-626f-4f74-8000-000000000001';
const never = new AbortController().signal;

/** The files of a Docker image; its layers lie in `folder` as long as they are read. */
export async function treeOf(reference: string, folder: string): Promise<FileTree> {
  const docker = connectDocker();
  const image = await findImage(docker, reference);
  if (!image) throw new Error(`Docker has no ${reference}`);
  const work = join(folder, reference.replaceAll('/', '-'));
  await mkdir(work);
  return mergeLayers(await saveLayers(docker, image, work, () => {}, never));
}

export function planOf(tree: FileTree, type: 'ext4' | 'xfs'): FilesystemPlan {
  const options = { bytes: BYTES, uuid: UUID };
  const planned = type === 'xfs' ? planXfs(tree, options) : planExt4(tree, { ...options, profile: 'modern' });
  if (!planned.ok) throw new Error(planned.reason);
  return planned.plan;
}

/** The partition as a sparse file, for peers that read one. */
export function writePartition(plan: FilesystemPlan, path: string): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, plan.bytes);
  for (const batch of partitionChunks(plan))
    for (const { offset, data } of batch) writeSync(file, data, 0, data.length, offset);
  closeSync(file);
}

/** sha256 → raw bytes of each different chunk; `take` sees each once. */
export function chunkSet(
  plan: FilesystemPlan,
  take: (sha256: string, data: Buffer) => void = () => {},
  rule: ChunkingRule = CHUNKING,
): Map<string, number> {
  const found = new Map<string, number>();
  for (const batch of partitionChunks(plan, rule))
    for (const { data } of batch) {
      const sha256 = hash('sha256', data);
      if (found.has(sha256)) continue;
      found.set(sha256, data.length);
      take(sha256, data);
    }
  return found;
}

/** sha256 → how to read it, of each different file content. */
export function contents(tree: FileTree): Map<string, (target: number) => void> {
  const buffer = Buffer.allocUnsafe(1 << 20);
  const found = new Map<string, (target: number) => void>();
  for (const { node } of tree.inLayerOrder()) {
    const { meta, content } = node.inode;
    if (meta.type !== 'file' || content.length === 0) continue;
    const each = (use: (data: Buffer) => void): void => {
      for (const run of content) {
        const file = openSync(run.file, 'r');
        for (let done = 0; done < run.bytes; ) {
          const read = readSync(
            file,
            buffer,
            0,
            Math.min(buffer.length, run.bytes - done),
            run.offset + done,
          );
          use(buffer.subarray(0, read));
          done += read;
        }
        closeSync(file);
      }
    };
    const digest = createHash('sha256');
    each((data) => digest.update(data));
    found.set(digest.digest('hex'), (target) => each((data) => writeSync(target, data)));
  }
  return found;
}
