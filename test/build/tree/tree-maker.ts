import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scanTar } from '../../../server/build/tree/tar-scan.ts';
import { FileTree } from '../../../server/filesystems/file-tree.ts';
import { type Member, writeTar } from './tar-maker.ts';

/** A place for layers in the temporary folder. */
export function layerFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-layers-'));
  let count = 0;
  return {
    folder,
    /** Layers, base first, stacked into a tree. */
    stack(...layers: readonly (Member | string)[][]): FileTree {
      const tree = new FileTree();
      for (const [i, members] of layers.entries()) {
        count += 1;
        const region = writeTar(join(folder, `${count}.tar`), members);
        tree.addLayer(i, scanTar(region));
      }
      return tree;
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
