import { createHash } from 'node:crypto';
import { execa } from 'execa';

/** Disks as files that are mostly holes: read through, a hole costs as much as data, and a page of memory for each of its blocks. */

/** A hash of what is in a file and where; the holes are not read. */
export async function contentHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  const named = ['--create', '--sparse', '--hole-detection=seek', '--mtime=@0', '--absolute-names', path];
  const tar = execa('tar', named, { encoding: 'buffer', buffer: false });
  for await (const piece of tar.iterable({ binary: true })) hash.update(piece as Uint8Array);
  await tar;
  return hash.digest('hex');
}

/** Takes so many bytes out of a disk, as a file of their own. */
export async function takeOut(disk: string, offset: number, size: number, to: string): Promise<void> {
  const part = `driver=raw,offset=${offset},size=${size},file.driver=file,file.filename=${disk}`;
  await execa('qemu-img', ['convert', '--image-opts', part, '-O', 'raw', to]);
}
