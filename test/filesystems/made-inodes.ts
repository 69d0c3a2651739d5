import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContentRun, Inode, NodeMetadata, NodeType } from '../../server/filesystems/node.ts';

/** Metadata with what a test does not care about. */
export function metadata(type: NodeType, meta: Partial<NodeMetadata> = {}): NodeMetadata {
  return {
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: 1000,
    mtimeNanos: 0,
    size: 0,
    link: '',
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...meta,
  };
}

/** An inode without content. */
export function inodeOf(type: NodeType, meta: Partial<NodeMetadata> = {}): Inode {
  return { meta: metadata(type, meta), content: [] };
}

/** A folder with one file that holds the contents of a test's files. */
export function contentFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-ext4-'));
  const file = join(folder, 'contents');
  writeFileSync(file, '');
  let length = 0;
  const store = (data: string | Buffer): number => {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    appendFileSync(file, bytes);
    length += bytes.length;
    return length - bytes.length;
  };
  return {
    folder,
    /** A file with this content. */
    withContent(data: string | Buffer, meta: Partial<NodeMetadata> = {}): Inode {
      const run: ContentRun = { at: 0, bytes: data.length, file, offset: store(data) };
      return {
        meta: metadata('file', { ...meta, size: data.length }),
        content: data.length > 0 ? [run] : [],
      };
    },
    /** A file of `size` bytes, holes but for the runs: each has its number as content. */
    withRuns(
      size: number,
      runs: readonly { at: number; bytes: number }[],
      meta: Partial<NodeMetadata> = {},
    ): Inode {
      const content = runs.map(({ at, bytes }, i) => ({
        at,
        bytes,
        file,
        offset: store(Buffer.alloc(bytes, `run ${i} `)),
      }));
      return { meta: metadata('file', { ...meta, size }), content };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
