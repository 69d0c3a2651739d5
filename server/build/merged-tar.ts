import { closeSync, openSync, readSync } from 'node:fs';
import type { FileTree, Inode } from './file-tree.ts';
import { encodeHeaders, type Latin1, paddingAfter, TAR_END, type TarEntry, TarError } from './tar-format.ts';

const BUFFER_BYTES = 1024 * 1024;

/**
 * The tree as one tar in layer order, each path once; a second name of an inode becomes a hard link to the first.
 * The buffers that it yields are reused: a consumer must be done with one before it takes the next but one.
 * Reads are synchronous: it runs in the build's own process and the layers were written a moment ago.
 */
export function* mergedTar(tree: FileTree): Generator<Buffer> {
  const files = new Map<string, number>();
  const packer = createPacker();
  const firstName = new Map<Inode, Latin1>();
  try {
    yield* packer.add(encodeHeaders({ ...tree.root.inode.entry, path: '.' }));
    for (const { path, node } of tree.inLayerOrder()) {
      const { inode } = node;
      const first = node.children ? undefined : firstName.get(inode);
      if (first !== undefined) {
        const link: TarEntry = {
          ...inode.entry,
          path,
          type: 'hardlink',
          link: first,
          size: 0,
          xattrs: new Map(),
        };
        yield* packer.add(encodeHeaders(link));
        continue;
      }
      firstName.set(inode, path);
      yield* packer.add(encodeHeaders({ ...inode.entry, path }));
      if (!inode.content) continue;
      const file = files.get(inode.content.file) ?? openSync(inode.content.file, 'r');
      files.set(inode.content.file, file);
      yield* packer.addFrom(file, inode.content.offset, inode.entry.size);
      yield* packer.add(Buffer.alloc(paddingAfter(inode.entry.size)));
    }
    yield* packer.add(TAR_END);
    yield* packer.flush();
  } finally {
    for (const file of files.values()) closeSync(file);
  }
}

/** Fills two large buffers in turn, so that many small members become few writes. */
function createPacker() {
  const buffers = [Buffer.allocUnsafe(BUFFER_BYTES), Buffer.allocUnsafe(BUFFER_BYTES)] as const;
  let turn: 0 | 1 = 0;
  let filled = 0;

  function* flush(): Generator<Buffer> {
    if (filled === 0) return;
    const full = buffers[turn].subarray(0, filled);
    turn = turn === 0 ? 1 : 0;
    filled = 0;
    yield full;
  }
  return {
    flush,
    *add(data: Buffer): Generator<Buffer> {
      for (let at = 0; at < data.length; ) {
        const copied = data.copy(buffers[turn], filled, at);
        at += copied;
        filled += copied;
        if (filled === BUFFER_BYTES) yield* flush();
      }
    },
    *addFrom(file: number, offset: number, bytes: number): Generator<Buffer> {
      for (let at = 0; at < bytes; ) {
        const read = readSync(
          file,
          buffers[turn],
          filled,
          Math.min(BUFFER_BYTES - filled, bytes - at),
          offset + at,
        );
        if (read === 0) throw new TarError('a layer ends within the content of a file');
        at += read;
        filled += read;
        if (filled === BUFFER_BYTES) yield* flush();
      }
    },
  };
}
