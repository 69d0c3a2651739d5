import { closeSync, createReadStream, createWriteStream, openSync, readSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { type Readable, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type Docker from 'dockerode';
import { DecompressStream } from 'zstd-napi';
import { FileTree, type LayerEntry, LayerError } from '../../filesystems/file-tree.ts';
import { BuildError } from '../build-error.ts';
import type { DockerImage } from '../docker/docker.ts';
import type { Report } from '../messages.ts';
import { alignRuns } from './align-runs.ts';
import { removeContainerLeftovers } from './container-leftovers.ts';
import { madeByOf } from './made-by.ts';
import { TarError } from './tar-format.ts';
import { type FileRegion, scanTar } from './tar-scan.ts';

/** A layer's tar, with the instruction that made it; null: nobody knows. */
export type SavedLayer = FileRegion & { readonly madeBy: string | null };

/** Bytes between two progress messages. */
const REPORT_EVERY = 32 * 1024 * 1024;

/**
 * Fetches an image's layers from Docker (`docker save`) into a file.
 * @returns the layers, base first, each a tar within a file in `work`
 */
export async function saveLayers(
  docker: Docker,
  image: DockerImage,
  work: string,
  report: Report,
  signal: AbortSignal,
): Promise<SavedLayer[]> {
  const path = join(work, 'saved.tar');
  const stream = (await docker.getImage(image.id).get()) as Readable;
  await pipeline(stream, countBytes(image.bytes, report), fileSink(path), { signal });
  return findLayers(path, work);
}

/** The layers named in a saved image's manifest.json, which both of Docker's formats (its own and OCI) have. */
export async function findLayers(saved: string, work: string): Promise<SavedLayer[]> {
  const members = new Map<string, FileRegion>();
  const links = new Map<string, string>();
  try {
    for (const entry of scanTar({ path: saved, offset: 0, bytes: (await stat(saved)).size })) {
      if (!('inode' in entry)) continue;
      const { meta, content } = entry.inode;
      if (meta.type === 'file')
        members.set(entry.path, { path: saved, offset: content[0]?.offset ?? 0, bytes: meta.size });
      // Older Dockers save a layer that two images share once, and a symlink beside it.
      if (meta.type === 'symlink') links.set(entry.path, posix.join(posix.dirname(entry.path), meta.link));
    }
    const manifest = members.get('manifest.json');
    if (!manifest) throw new TarError('manifest.json is missing');
    const [{ Layers, Config }] = JSON.parse(readRegion(manifest)) as [{ Layers: string[]; Config?: string }];
    const madeBy = madeByOf(historyIn(members.get(Config ?? '')), Layers.length);
    const layers: SavedLayer[] = [];
    for (const [i, name] of Layers.entries()) {
      const layer = members.get(name) ?? members.get(links.get(name) ?? '');
      if (!layer) throw new TarError(`${name} is missing`);
      const region = await uncompressed(layer, join(work, `layer-${i}.tar`));
      layers.push({ ...region, madeBy: madeBy[i] ?? null });
    }
    return layers;
  } catch (error) {
    if (error instanceof TarError)
      throw new BuildError('layers', `What Docker saved can't be read: ${error.message}. Save it again.`);
    throw error;
  }
}

/** A configuration that cannot be read says nothing; the image is what its layers are. */
function historyIn(config: FileRegion | undefined): unknown {
  if (!config) return null;
  try {
    // `readRegion` gives bytes, the configuration is UTF-8.
    const text = Buffer.from(readRegion(config), 'latin1').toString('utf8');
    return (JSON.parse(text) as { history?: unknown } | null)?.history;
  } catch {
    return null;
  }
}

/** Stacks the layers and takes out what only a container has. @throws BuildError `layers` */
export function mergeLayers(layers: readonly FileRegion[]): FileTree {
  const tree = new FileTree();
  addLayers(tree, layers, 0);
  return tree;
}

/** Puts more layers on top; the first of them is layer `first`. @throws BuildError `layers` */
export function addLayers(tree: FileTree, layers: readonly FileRegion[], first: number): void {
  for (const [i, layer] of layers.entries()) {
    try {
      tree.addLayer(first + i, wholeBlocks(layer, first + i));
    } catch (error) {
      if (!(error instanceof TarError || error instanceof LayerError)) throw error;
      throw new BuildError('layers', `Layer ${first + i + 1} can't be put on a disk: ${error.message}.`);
    }
  }
  removeContainerLeftovers(tree);
}

/** A layer's members, with content in runs as filesystems keep it; what must be written out for it lies beside the layer. */
function* wholeBlocks(layer: FileRegion, number: number): Generator<LayerEntry> {
  let count = 0;
  const sideFile = () => {
    count += 1;
    return join(dirname(layer.path), `sparse-${number}-${count}`);
  };
  for (const entry of scanTar(layer)) {
    if (!('inode' in entry)) yield entry;
    else {
      const { meta, content } = entry.inode;
      yield { path: entry.path, inode: { meta, content: alignRuns(content, sideFile) } };
    }
  }
}

/** Layers are read at random places, so one that Docker's store keeps compressed is unpacked first. */
async function uncompressed(layer: FileRegion, target: string): Promise<FileRegion> {
  const magic = readRegion({ ...layer, bytes: Math.min(4, layer.bytes) });
  const codec = magic.startsWith('\x1f\x8b')
    ? createGunzip()
    : magic === '\x28\xb5\x2f\xfd'
      ? new DecompressStream()
      : null;
  if (!codec) return layer;
  const source = createReadStream(layer.path, { start: layer.offset, end: layer.offset + layer.bytes - 1 });
  await pipeline(source, codec, createWriteStream(target));
  return { path: target, offset: 0, bytes: (await stat(target)).size };
}

function readRegion({ path, offset, bytes }: FileRegion): string {
  const data = Buffer.alloc(bytes);
  const file = openSync(path, 'r');
  try {
    readSync(file, data, 0, bytes, offset);
    return data.toString('latin1');
  } finally {
    closeSync(file);
  }
}

/**
 * Writes at once what comes. Docker sends 32 KiB at a time, and handing each to a thread takes twice as long as the write itself;
 * this process has nothing else to do meanwhile.
 */
function fileSink(path: string): Writable {
  const file = openSync(path, 'w');
  return new Writable({
    write(data: Buffer, _encoding, done) {
      try {
        for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    destroy(error, done) {
      closeSync(file);
      done(error);
    },
  });
}

function countBytes(expected: number, report: Report): Transform {
  let bytes = 0;
  let told = 0;
  return new Transform({
    transform(data: Buffer, _encoding, done) {
      bytes += data.length;
      if (bytes - told >= REPORT_EVERY) {
        told = bytes;
        // Docker's own figure leaves out the tar's headers: when it is passed, nobody knows how much is left.
        report({
          phase: 'layers',
          message: 'saving layers',
          bytesDone: bytes,
          ...(bytes <= expected && { bytesTotal: expected }),
        });
      }
      done(null, data);
    },
  });
}
