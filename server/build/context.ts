import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';

/**
 * A folder as the tar that Docker builds from. The same files give the same bytes whoever cloned them and whenever:
 * sorted, mtime 0, root's, modes 0644 and 0755 only. So Docker's cache hits.
 */
export function contextTar(folder: string): Readable {
  const tar = pack();
  addFolder(tar, folder, '').then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return tar as unknown as Readable;
}

async function addFolder(tar: Pack, root: string, below: string): Promise<void> {
  const names = (await readdir(join(root, below))).sort((a, b) => (a < b ? -1 : 1));
  for (const name of names) {
    const path = below === '' ? name : `${below}/${name}`;
    const stat = await lstat(join(root, path));
    const common = { name: path, mtime: new Date(0), uid: 0, gid: 0 };
    if (stat.isDirectory()) {
      tar.entry({ ...common, type: 'directory', mode: 0o755 });
      await addFolder(tar, root, path);
    } else if (stat.isSymbolicLink()) {
      tar.entry({ ...common, type: 'symlink', mode: 0o777, linkname: await readlink(join(root, path)) });
    } else if (stat.isFile()) {
      const entry = tar.entry({
        ...common,
        type: 'file',
        size: stat.size,
        mode: stat.mode & 0o100 ? 0o755 : 0o644,
      });
      await pipeline(createReadStream(join(root, path)), entry as unknown as Writable);
    }
  }
}
