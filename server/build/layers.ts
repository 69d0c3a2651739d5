import { closeSync, createReadStream, createWriteStream, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type Docker from 'dockerode';
import { DecompressStream } from 'zstd-napi';
import { BuildError } from './build-error.ts';
import { removeContainerLeftovers } from './container-leftovers.ts';
import type { DockerImage } from './docker.ts';
import { FileTree } from './file-tree.ts';
import type { Report } from './messages.ts';
import { TarError } from './tar-format.ts';
import { type FileRegion, scanTar } from './tar-scan.ts';

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
): Promise<FileRegion[]> {
  const path = join(work, 'saved.tar');
  const stream = (await docker.getImage(image.id).get()) as Readable;
  await pipeline(stream, countBytes(image.bytes, report), createWriteStream(path), { signal });
  return findLayers(path, work);
}

/** The layers named in a saved image's manifest.json, which both of Docker's formats (its own and OCI) have. */
export async function findLayers(saved: string, work: string): Promise<FileRegion[]> {
  const members = new Map<string, FileRegion>();
  const links = new Map<string, string>();
  try {
    for (const entry of scanTar({ path: saved, offset: 0, bytes: (await stat(saved)).size })) {
      if (entry.type === 'file')
        members.set(entry.path, { path: saved, offset: entry.contentOffset, bytes: entry.size });
      // Older Dockers save a layer that two images share once, and a symlink beside it.
      if (entry.type === 'symlink') links.set(entry.path, posix.join(posix.dirname(entry.path), entry.link));
    }
    const manifest = members.get('manifest.json');
    if (!manifest) throw new TarError('manifest.json is missing');
    const [{ Layers }] = JSON.parse(readRegion(manifest)) as [{ Layers: string[] }];
    const layers: FileRegion[] = [];
    for (const [i, name] of Layers.entries()) {
      const layer = members.get(name) ?? members.get(links.get(name) ?? '');
      if (!layer) throw new TarError(`${name} is missing`);
      layers.push(await uncompressed(layer, join(work, `layer-${i}.tar`)));
    }
    return layers;
  } catch (error) {
    if (error instanceof TarError)
      throw new BuildError('layers', `What Docker saved can't be read: ${error.message}. Save it again.`);
    throw error;
  }
}

/** Stacks the layers and takes out what only a container has. @throws BuildError `layers` */
export function mergeLayers(layers: readonly FileRegion[]): FileTree {
  const tree = new FileTree();
  for (const [i, layer] of layers.entries()) {
    try {
      tree.addLayer(i, scanTar(layer), layer.path);
    } catch (error) {
      if (!(error instanceof TarError)) throw error;
      throw new BuildError(
        'layers',
        `Layer ${i + 1} of ${layers.length} can't be put on a disk: ${error.message}.`,
      );
    }
  }
  removeContainerLeftovers(tree);
  return tree;
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

function countBytes(expected: number, report: Report): Transform {
  let bytes = 0;
  let told = 0;
  return new Transform({
    transform(data: Buffer, _encoding, done) {
      bytes += data.length;
      if (bytes - told >= REPORT_EVERY) {
        told = bytes;
        // Docker's own figure leaves out the tar's headers: never more than the whole.
        report({
          phase: 'layers',
          message: 'saving layers',
          bytesDone: Math.min(bytes, expected),
          bytesTotal: expected,
        });
      }
      done(null, data);
    },
  });
}
