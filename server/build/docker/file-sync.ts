import { createReadStream } from 'node:fs';
import type { FileTree, TreeNode } from '../../filesystems/file-tree.ts';
import type { Inode, Latin1 } from '../../filesystems/node.ts';
import type { StreamMethod } from './grpc.ts';
import { bytesField, fields, numberField } from './protobuf.ts';

/** A file, folder or link as BuildKit may fetch it. */
export interface SyncedFile {
  readonly path: Latin1;
  readonly inode: Inode;
}

/** Kinds of packet. Source: tonistiigi/fsutil types/wire.proto and send.go, receive.go. */
const [STAT, REQUEST, DATA, FIN] = [0, 1, 2, 3];
/** Go's os.FileMode, which is what fsutil sends. */
const DIRECTORY = 2 ** 31;
const SYMLINK = 2 ** 27;
const PART_BYTES = 32 * 1024;

/**
 * Gives BuildKit a folder file by file: it is told all names first, then asks for the contents that it does not
 * have from an earlier build.
 * @param folder the files of a source ("context", "dockerfile"), each after the folder that it lies in, in the
 *   order of `inOrder`; @param followed the only paths that are asked for, if BuildKit says so
 */
export function fileSync(folder: (name: string, followed: string) => readonly SyncedFile[]): StreamMethod {
  return async ({ headers, messages, send }) => {
    const files = folder(String(headers['dir-name'] ?? ''), String(headers.followpaths ?? ''));
    const told = (async () => {
      for (const file of files) await send(bytesField(2, statOf(file)));
      // All names are told.
      await send(numberField(1, STAT));
    })();
    // Contents go one after another; requests come faster than they can be answered.
    let sending: Promise<void> = told;
    // BuildKit waits for what cannot be read, so that ends the call.
    let fail: (error: unknown) => void = () => {};
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    failed.catch(() => {});
    for (;;) {
      sending.catch(fail);
      const { value: message, done } = await Promise.race([messages.next(), failed]);
      const packet = new Map(done ? [] : fields(message));
      const kind = packet.get(1) ?? STAT;
      if (done || kind === FIN) break;
      const id = Number(packet.get(3) ?? 0);
      if (kind === REQUEST) sending = sending.then(() => sendContent(id));
    }
    await sending;
    await send(numberField(1, FIN));

    async function sendContent(id: number): Promise<void> {
      const head = Buffer.concat([numberField(1, DATA), numberField(3, id)]);
      const inode = files[id]?.inode;
      for await (const part of inode ? contentOf(inode) : [])
        await send(Buffer.concat([head, bytesField(4, part)]));
      // An empty part is the end.
      await send(head);
    }
  };
}

/** A file's bytes in parts, holes as zeros. */
async function* contentOf({ meta, content }: Inode): AsyncGenerator<Buffer> {
  let at = 0;
  for (const { at: begin, file, offset, bytes } of [...content, END(meta.size)]) {
    for (; at < begin; at += Math.min(PART_BYTES, begin - at))
      yield Buffer.alloc(Math.min(PART_BYTES, begin - at));
    if (bytes > 0)
      yield* createReadStream(file, { start: offset, end: offset + bytes - 1, highWaterMark: PART_BYTES });
    at += bytes;
  }
}

const END = (at: number) => ({ at, file: '', offset: 0, bytes: 0 });

/**
 * The files of a tree, folders before what lies in them, names by their bytes.
 * @param leavesOut `if-empty`: a folder that is there only for what is kept in it
 */
export function inOrder(
  tree: FileTree,
  leavesOut: (path: Latin1, isFolder: boolean) => 'yes' | 'no' | 'if-empty',
): SyncedFile[] {
  const found: SyncedFile[] = [];
  const visit = (node: TreeNode, prefix: Latin1): void => {
    for (const child of [...(node.children?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = prefix + child.name;
      const isLeftOut = leavesOut(path, child.children !== null);
      if (isLeftOut === 'yes') continue;
      const count = found.push({ path, inode: child.inode });
      visit(child, `${path}/`);
      if (isLeftOut === 'if-empty' && found.length === count) found.pop();
    }
  };
  visit(tree.root, '');
  return found;
}

function statOf({ path, inode: { meta } }: SyncedFile): Buffer {
  const kind = meta.type === 'directory' ? DIRECTORY : meta.type === 'symlink' ? SYMLINK : 0;
  return Buffer.concat([
    bytesField(1, Buffer.from(path, 'latin1')),
    numberField(2, kind + (meta.mode & 0o777)),
    numberField(5, meta.size),
    ...(meta.type === 'symlink' ? [bytesField(7, Buffer.from(meta.link, 'latin1'))] : []),
  ]);
}
