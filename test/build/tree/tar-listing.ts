import { type FileRegion, scanTar } from '../../../server/build/tree/tar-scan.ts';
import type { ContentRun, NodeMetadata } from '../../../server/filesystems/node.ts';

export type Listed = Omit<NodeMetadata, 'type'> & {
  readonly path: string;
  readonly type: NodeMetadata['type'] | 'hardlink';
  readonly content: readonly ContentRun[];
};

/** A tar's members, each as one flat record. */
export function listTar(region: FileRegion): Listed[] {
  return [...scanTar(region)].map((entry) =>
    'inode' in entry
      ? { path: entry.path, ...entry.inode.meta, content: entry.inode.content }
      : { ...NOTHING, path: entry.path, link: entry.target },
  );
}

/** A hard link has nothing of its own but its name. */
const NOTHING: Listed = {
  path: '',
  type: 'hardlink',
  link: '',
  mode: 0,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNanos: 0,
  size: 0,
  major: 0,
  minor: 0,
  xattrs: new Map(),
  content: [],
};
