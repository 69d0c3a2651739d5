import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { BuildError } from './build-error.ts';
import { PINNED_ENVIRONMENT } from './e2fsprogs.ts';
import type { FileTree, Inode } from './file-tree.ts';
import type { Latin1 } from './tar-format.ts';

/** mke2fs takes this one from the tar. */
const TAKEN_BY_MKE2FS = 'security.capability';

interface Xattr {
  readonly path: Latin1;
  readonly name: Latin1;
  readonly value: Latin1;
}

/** The xattrs that mke2fs drops in silence, one name of each inode. */
export function droppedXattrs(tree: FileTree): Xattr[] {
  const found: Xattr[] = [];
  const seen = new Set<Inode>();
  for (const { path, node } of tree.inLayerOrder()) {
    if (seen.has(node.inode)) continue;
    seen.add(node.inode);
    for (const [name, value] of node.inode.entry.xattrs)
      if (name !== TAKEN_BY_MKE2FS) found.push({ path, name, value });
  }
  return found;
}

/**
 * Sets in the finished file, without a mount, what mke2fs dropped (ACLs, SELinux labels, user.*).
 * @throws BuildError `layers` for a name that debugfs can't be told
 */
export async function setXattrs(tree: FileTree, file: string, signal: AbortSignal): Promise<void> {
  const xattrs = droppedXattrs(tree);
  if (xattrs.length === 0) return;
  const folder = await mkdtemp(join(dirname(file), 'xattrs-'));
  try {
    const values = new Map<Latin1, string>();
    const lines: Latin1[] = [];
    for (const { path, name, value } of xattrs) {
      if (/["\n]/.test(path + name))
        throw new BuildError(
          'layers',
          `The xattr ${name} of ${JSON.stringify(path)} can't be kept: quotes and newlines in names of files with xattrs are not supported.`,
        );
      const known = values.get(value) ?? join(folder, String(values.size));
      if (!values.has(value)) await writeFile(known, value, 'latin1');
      values.set(value, known);
      lines.push(`ea_set -f "${known}" "/${path}" "${name}"\n`);
    }
    const script = Buffer.from(lines.join(''), 'latin1');
    const result = await execa('/sbin/debugfs', ['-w', '-f', '-', file], {
      env: PINNED_ENVIRONMENT,
      input: script,
      reject: false,
      cancelSignal: signal,
    });
    signal.throwIfAborted();
    // debugfs exits 0 whatever its commands met: what it has to say stands on stderr, after its own name.
    const complaints = String(result.stderr ?? '')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('debugfs 1.'));
    if (result.failed || complaints.length > 0)
      throw new BuildError('tool', `debugfs could not set xattrs: ${complaints[0] ?? result.shortMessage}.`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
