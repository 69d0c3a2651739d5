import { hash } from 'node:crypto';
import { linkSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Compressor } from 'zstd-napi';

/** RAUC's chunk, and bytes of its sha256 in the index. */
const CHUNK = 4096;
const HASH = 32;
/** Smaller blocks and a better compression than mksquashfs has by itself: kind to RAUC. */
const SQUASHFS_BLOCK = 65536;
const SQUASHFS_LEVEL = 15;

/**
 * What RAUC's adaptive mode fetches of a streamed bundle for a host that has `old`: replayed, for `rauc install` needs a system
 * bus, nbd and dm-verity. The bundle is made by `rauc bundle` itself, and the index in it is what is read. RAUC takes a chunk
 * from the old slot if the index of that names it, else it reads it from the bundle, a squashfs of which whole compressed blocks
 * come over the wire; of the index all of it comes.
 */
export async function raucDelta(old: string, next: string, folder: string): Promise<number> {
  const have = chunksOf(await bundledIndex(old, join(folder, 'old')));
  const index = await bundledIndex(next, join(folder, 'next'));
  const image = openSync(next, 'r');
  const block = Buffer.alloc(SQUASHFS_BLOCK);
  let bytes = squashed(index);
  const perBlock = SQUASHFS_BLOCK / CHUNK;
  for (let first = 0; first * HASH < index.length; first += perBlock) {
    const chunks = index.subarray(first * HASH, (first + perBlock) * HASH);
    if (every(chunks, (digest) => have.has(digest))) continue;
    const read = readSync(image, block, 0, block.length, first * CHUNK);
    bytes += squashed(block.subarray(0, read));
  }
  return bytes;
}

/** The index as `rauc bundle` wrote it; checked against the image. */
async function bundledIndex(image: string, folder: string): Promise<Buffer> {
  const content = join(folder, 'content');
  const bundle = join(folder, 'bundle');
  await mkdir(content, { recursive: true });
  linkSync(image, join(content, 'root.img'));
  writeFileSync(
    join(content, 'manifest.raucm'),
    '[update]\ncompatible=bench\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=root.img\nadaptive=block-hash-index\n',
  );
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=bench', '-days', '9'];
  await execa('openssl', [...request, '-keyout', key, '-out', cert]);
  const squashfs = `--mksquashfs-args=-comp zstd -Xcompression-level 1 -b ${SQUASHFS_BLOCK}`;
  await execa('rauc', ['bundle', `--cert=${cert}`, `--key=${key}`, squashfs, content, bundle]);
  const unpacked = join(folder, 'unpacked');
  await execa('unsquashfs', ['-q', '-n', '-d', unpacked, bundle, 'root.img.block-hash-index']);
  const index = readFileSync(join(unpacked, 'root.img.block-hash-index'));
  const first = Buffer.alloc(CHUNK);
  readSync(openSync(image, 'r'), first, 0, CHUNK, 0);
  const fits = index.length === (statSync(image).size / CHUNK) * HASH;
  if (!fits || hash('sha256', first) !== index.toString('hex', 0, HASH))
    throw new Error('the block-hash-index of this rauc is not one sha256 for each 4 KiB');
  await rm(folder, { recursive: true });
  return index;
}

function chunksOf(index: Buffer): Set<string> {
  const found = new Set<string>();
  every(index, (digest) => found.add(digest).size > 0);
  return found;
}

function every(digests: Buffer, check: (digest: string) => boolean): boolean {
  for (let at = 0; at < digests.length; at += HASH)
    if (!check(digests.toString('latin1', at, at + HASH))) return false;
  return true;
}

/** Bytes in a squashfs: each block by itself, as it is where that is shorter, nothing for one of zeros. */
function squashed(data: Buffer): number {
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: SQUASHFS_LEVEL });
  let bytes = 0;
  for (let at = 0; at < data.length; at += SQUASHFS_BLOCK) {
    const block = data.subarray(at, at + SQUASHFS_BLOCK);
    if (block.every((byte) => byte === 0)) continue;
    bytes += Math.min(block.length, compressor.compress(block).length);
  }
  return bytes;
}
