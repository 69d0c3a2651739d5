import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../core/digest.ts';
import { filesOf, parseIndex } from '../core/image-index.ts';
import type { PlacedChunk } from '../core/ports.ts';
import type { DamagedChunk, DamagedFile } from './check-messages.ts';
import { hashOf } from './image-files.ts';
import { imageFolder, imageTempFolder } from './places.ts';
import { findDamage } from './verify.ts';

/** Reads the chunks given and tells those that are damaged or missing. */
export async function checkChunks(
  dataDir: string,
  chunks: readonly PlacedChunk[],
  draft: string | null,
): Promise<DamagedChunk[]> {
  const offsets = new Map(chunks.map(({ sha256, offset }) => [sha256, offset]));
  const places = chunks.map((chunk) => [chunk.sha256, chunk] as const);
  const damaged: DamagedChunk[] = [];
  for await (const { sha256, packId, what } of findDamage(dataDir, places, undefined, draft !== null))
    damaged.push({ sha256, packId, offset: offsets.get(sha256) ?? 0, what });
  return damaged;
}

/** Reads index, kernel and initrd of an image and tells those that are not what digest and index say. */
export async function checkFiles(
  dataDir: string,
  digest: Digest,
  draft: string | null,
): Promise<DamagedFile[]> {
  const folder = draft === null ? imageFolder(dataDir, digest) : imageTempFolder(dataDir, draft);
  const text = await readFile(join(folder, 'index.json')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'EIO') return null;
    throw error;
  });
  const index = { file: 'index.json', what: `index.json of ${digest} is ${text ? 'damaged' : 'missing'}` };
  if (!text || `sha256:${hash('sha256', text)}` !== digest) return [index];
  const parsed = parseIndex(text.toString());
  if (!parsed.ok) return [{ ...index, what: `index.json of ${digest} cannot be read: ${parsed.reason}` }];
  const damaged: DamagedFile[] = [];
  for (const { name, sha256 } of filesOf(parsed.value)) {
    const found = await hashOf(join(folder, name));
    if (found !== sha256)
      damaged.push({ file: name, what: `${name} of ${digest} is ${found ? 'damaged' : 'missing'}` });
  }
  return damaged;
}
