import { basename } from 'node:path';
import type { ImageLayer } from '../core/image-layers.ts';
import type { FileTree } from '../filesystems/file-tree.ts';
import type { FilesystemPlan } from '../filesystems/piece.ts';
import { filesByLayer } from './tree/count-files.ts';
import type { SavedLayer } from './tree/layers.ts';

/** What is recorded of the layers: who made each, how much of it is left in the image, and where it begins on the partition. */
export function recordLayers(
  layers: readonly SavedLayer[],
  tree: FileTree,
  plan: FilesystemPlan,
): ImageLayer[] {
  const files = filesByLayer(tree, layers.length);
  const bytes = layers.map(() => 0);
  const offsets: (number | null)[] = layers.map(() => null);
  const layerOf = sourceFinder(layers);
  for (const { offset, bytes: length, from } of plan.pieces()) {
    if (from.kind !== 'copied') continue;
    const layer = layerOf(from.file, from.offset);
    if (layer === -1) continue;
    offsets[layer] ??= offset;
    bytes[layer] = (bytes[layer] ?? 0) + length;
  }
  return layers.map(({ madeBy }, layer) => ({
    madeBy,
    files: files[layer] ?? 0,
    contentBytes: bytes[layer] ?? 0,
    offset: offsets[layer] ?? null,
  }));
}

/** The layer from which bytes of a file are copied: the tar that they lie in, or what was written out of it (`sparse-LAYER-…`). */
function sourceFinder(layers: readonly SavedLayer[]): (file: string, offset: number) => number {
  let last = 0;
  const holds = (layer: SavedLayer | undefined, file: string, at: number) =>
    layer !== undefined && layer.path === file && at >= layer.offset && at < layer.offset + layer.bytes;
  return (file, offset) => {
    // Content lies layer by layer, so it is most often the same as before.
    if (holds(layers[last], file, offset)) return last;
    const beside = /^sparse-(\d+)-/.exec(basename(file))?.[1];
    const found =
      beside === undefined ? layers.findIndex((layer) => holds(layer, file, offset)) : Number(beside);
    if (found !== -1) last = found;
    return found < layers.length ? found : -1;
  };
}
