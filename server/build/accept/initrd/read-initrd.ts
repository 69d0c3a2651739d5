import { FileTree, LayerError, normalizePath } from '../../../filesystems/file-tree.ts';
import type { Inode } from '../../../filesystems/node.ts';
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

/** As the kernel unpacks it: what comes later wins, links in the folders on the way are followed, what cannot be made is passed over. */
function add(tree: FileTree, { path, type, mode, bytes, link }: CpioEntry): void {
  if (type === null || path === '' || path === '.') return;
  const size = type === 'file' ? bytes : 0;
  const meta = { type, mode, uid: 0, gid: 0, mtime: 0, mtimeNanos: 0, size, link, major: 0, minor: 0 };
  try {
    tree.put(normalizePath(path), 0, { meta: { ...meta, xattrs: NONE }, content: [] });
  } catch (error) {
    if (!(error instanceof LayerError)) throw error;
  }
}

const NONE: ReadonlyMap<string, string> = new Map();
