import { statSync } from 'node:fs';
import { posix } from 'node:path';
import { WarmbootError } from '../../core/errors.ts';
import { NOTHING_IGNORED, readDockerignore } from '../../docker-context/dockerignore.ts';
import { FOREIGN_DOCKERFILE } from '../../docker-context/open-context.ts';
import { FileTree, LayerError } from '../../filesystems/file-tree.ts';
import type { Inode, Latin1 } from '../../filesystems/node.ts';
import { BuildError } from '../build-error.ts';
import { TarError } from '../tree/tar-format.ts';
import { scanTar } from '../tree/tar-scan.ts';
import { readStart } from '../tree/tree-file.ts';
import { inOrder, type SyncedFile } from './file-sync.ts';

const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** A context that lies in a tar: what a build sees of it. */
export interface ContextTree {
  readonly dockerfile: { readonly inode: Inode; readonly text: string };
  /** Of the image.json beside the Dockerfile, or else of the one in the root; null: there is none. */
  readonly recipe: string | null;
  /** What COPY and ADD can reach. */
  readonly files: readonly SyncedFile[];
}

/**
 * Reads a context's tar by its headers. Its .dockerignore is applied here once more: not every client does it, and the
 * Dockerfile is in the tar even if it is ignored, but not for COPY.
 * @param dockerfile its name in the tar
 * @throws BuildError `recipe`
 */
export function readContextTree(tar: string, dockerfile: string): ContextTree {
  const tree = new FileTree();
  try {
    tree.addLayer(0, scanTar({ path: tar, offset: 0, bytes: statSync(tar).size }));
    const inode = fileAt(tree, dockerfile);
    if (!inode)
      throw new BuildError(
        'recipe',
        `The context has no file ${dockerfile}. Name its Dockerfile, or send another context.`,
      );
    const beside = posix.join(posix.dirname(dockerfile), 'image.json');
    return {
      dockerfile: { inode, text: textOf(inode) },
      recipe: textAt(tree, beside) ?? textAt(tree, 'image.json'),
      files: inOrder(tree, leavesOut(tree, dockerfile)),
    };
  } catch (error) {
    if (error instanceof WarmbootError) throw new BuildError('recipe', error.message);
    if (!(error instanceof TarError || error instanceof LayerError)) throw error;
    throw new BuildError(
      'recipe',
      `The context is no tar that can be read: ${error.message}. Send it again.`,
    );
  }
}

function leavesOut(tree: FileTree, dockerfile: string) {
  const own = `${dockerfile}.dockerignore`;
  const text = textAt(tree, own) ?? textAt(tree, '.dockerignore');
  const ignore = text === null ? NOTHING_IGNORED : readDockerignore(text, '.dockerignore');
  const foreign = dockerfile === FOREIGN_DOCKERFILE ? posix.dirname(dockerfile) : null;
  return (path: Latin1, isFolder: boolean): 'yes' | 'no' | 'if-empty' => {
    const name = Buffer.from(path, 'latin1').toString('utf8');
    if (name === foreign) return 'yes';
    if (!ignore.ignores(name)) return 'no';
    return isFolder && ignore.mayKeepBelow(name) ? 'if-empty' : 'yes';
  };
}

function fileAt(tree: FileTree, name: string): Inode | null {
  const inode = tree.resolve(Buffer.from(name, 'utf8').toString('latin1'))?.node.inode;
  return inode?.meta.type === 'file' ? inode : null;
}

function textAt(tree: FileTree, name: string): string | null {
  const inode = fileAt(tree, name);
  return inode && textOf(inode);
}

function textOf(inode: Inode): string {
  return readStart(inode, MAX_TEXT_BYTES).toString('utf8');
}
