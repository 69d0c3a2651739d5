import { FileTree } from '../../../filesystems/file-tree.ts';
import type { Inode, Latin1 } from '../../../filesystems/node.ts';
import { readContent } from '../../tree/copy-file.ts';
import { type ByteReader, byteReader, InitrdError } from './byte-reader.ts';
import { compressionOf } from './compression.ts';
import { type CpioEntry, isCpio, readCpio } from './cpio.ts';

const LOOK_BYTES = 4096;

/**
 * The files of an initrd, without their contents: archives one behind the other, zeros between them, plain or compressed
 * (microcode comes plain, first). A compressed part reaches to the end of the file, as all makers of initrds write it.
 * @throws InitrdError, MissingProgramError
 */
export async function readInitrd(inode: Inode): Promise<FileTree> {
  const tree = new FileTree();
  for await (const entry of readArchives(byteReader(readContent(inode)), false)) add(tree, entry);
  return tree;
}

async function* readArchives(reader: ByteReader, unpacked: boolean): AsyncGenerator<CpioEntry> {
  for (;;) {
    const start = await reader.peek(LOOK_BYTES);
    if (start.length === 0) return;
    const zeros = start.findIndex((byte) => byte !== 0);
    if (zeros !== 0) await reader.skip(zeros === -1 ? start.length : zeros);
    else if (isCpio(start)) yield* readCpio(reader);
    else {
      const unpack = unpacked ? null : compressionOf(start);
      if (!unpack)
        throw new InitrdError('it holds neither a cpio archive nor a compression that Linux knows');
      yield* readArchives(byteReader(unpack(reader.rest())), true);
      return;
    }
  }
}

/** As the kernel unpacks it: what comes later wins, and links in the folders on the way are followed. */
function add(tree: FileTree, { path, type, mode, bytes, link }: CpioEntry): void {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  const name = names.pop();
  if (name === undefined || type === null) return;
  const folder = followLinks(tree, names);
  const size = type === 'file' ? bytes : 0;
  const meta = { type, mode, uid: 0, gid: 0, mtime: 0, mtimeNanos: 0, size, link, major: 0, minor: 0 };
  tree.put(folder === '' ? name : `${folder}/${name}`, 0, { meta: { ...meta, xattrs: NONE }, content: [] });
}

/** Where a folder lies, as far as it exists. */
function followLinks(tree: FileTree, names: readonly string[]): Latin1 {
  for (let count = names.length; count > 0; count -= 1) {
    const found = tree.resolve(names.slice(0, count).join('/'));
    if (found) return [found.path, ...names.slice(count)].join('/');
  }
  return names.join('/');
}

const NONE: ReadonlyMap<string, string> = new Map();
