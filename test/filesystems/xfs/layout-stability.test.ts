import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { FileTree, LayerEntry } from '../../../server/filesystems/file-tree.ts';
import { planXfs } from '../../../server/filesystems/xfs/plan.ts';
import { inode, MIB, treeOf, UUID } from './tree-of.ts';

const BLOCK = 4096;

/** Digest of each block that the planner makes, and the address of each that it copies. */
function blocksOf(tree: FileTree): { made: Map<number, string>; copied: Map<number, string> } {
  const planned = planXfs(tree, { bytes: 600 * MIB, uuid: UUID });
  if (!planned.ok) throw new Error(planned.reason);
  const made = new Map<number, string>();
  const copied = new Map<number, string>();
  let end = 0;
  for (const { offset, bytes, from } of planned.plan.pieces()) {
    expect(offset % BLOCK).toBe(0);
    expect(offset).toBeGreaterThanOrEqual(end);
    end = offset + bytes;
    const data = from.kind === 'made' ? from.make() : null;
    if (data) expect(data.length).toBe(bytes);
    for (let at = 0; at < bytes; at += BLOCK)
      if (data)
        made.set(
          offset + at,
          createHash('sha1')
            .update(data.subarray(at, at + BLOCK))
            .digest('hex'),
        );
      else if (from.kind === 'copied') copied.set(offset + at, `${from.file} ${from.offset + at}`);
  }
  expect(end).toBeLessThanOrEqual(600 * MIB);
  return { made, copied };
}

function changes(before: FileTree, after: FileTree): { made: number; copied: number } {
  const [a, b] = [blocksOf(before), blocksOf(after)];
  const differ = (x: Map<number, string>, y: Map<number, string>) =>
    [...y].filter(([at, what]) => x.get(at) !== what).length;
  return { made: differ(a.made, b.made), copied: differ(a.copied, b.copied) };
}

function layer(folder: string, files: number): LayerEntry[] {
  return Array.from({ length: files }, (_, i) => ({
    path: `${folder}/d${i % 40}/file-${i}`,
    inode: inode('file', {}, [{ at: 0, bytes: 1 + ((i * 7919) % 40_000), file: `${folder}${i}`, offset: 0 }]),
  }));
}

const base = layer('base', 4000);
const middle = layer('middle', 1000);
const top = layer('top', 1000);

describe('what changes little moves little', () => {
  test('one more layer changes its own blocks, the counters and the folders that it touches', () => {
    const more = [
      { path: 'base/d3/added', inode: inode('file', {}, [{ at: 0, bytes: 9, file: 'x', offset: 0 }]) },
    ];
    const { made, copied } = changes(treeOf(base, middle), treeOf(base, middle, more));
    expect(copied).toBe(1);
    expect(made).toBeLessThan(25);
  });

  test('a changed file of the same length changes its inode', () => {
    const changed = base.map((each) =>
      'inode' in each && each.path === 'base/d7/file-2007'
        ? { ...each, inode: { ...each.inode, meta: { ...each.inode.meta, mtime: 2000 } } }
        : each,
    );
    expect(changes(treeOf(base, middle, top), treeOf(changed, middle, top))).toEqual({ made: 1, copied: 0 });
  });

  test('a file that grows by a block moves its segment, nothing outside', () => {
    const changed = base.map((each) =>
      each.path === 'base/d7/file-2007'
        ? { path: each.path, inode: inode('file', {}, [{ at: 0, bytes: 60_000, file: 'grown', offset: 0 }]) }
        : each,
    );
    const { made, copied } = changes(treeOf(base, middle, top), treeOf(changed, middle, top));
    expect(copied).toBeLessThan(300);
    expect(made).toBeLessThan(30);
  });

  test('a new file in the first layer moves one segment', () => {
    const more = [...base, { path: 'base/d7/file-2007x', inode: inode('file') }];
    const { made, copied } = changes(treeOf(base, middle, top), treeOf(more, middle, top));
    expect(copied).toBe(0);
    expect(made).toBeLessThan(25);
  });
});

test('pieces can be asked for twice and are the same', () => {
  const planned = planXfs(treeOf(base), { bytes: 600 * MIB, uuid: UUID });
  if (!planned.ok) throw new Error(planned.reason);
  const digest = () => {
    const hash = createHash('sha256');
    for (const { offset, bytes, from } of planned.plan.pieces()) {
      hash.update(`${offset} ${bytes}`);
      if (from.kind === 'made') hash.update(from.make());
    }
    return hash.digest('hex');
  };
  expect(digest()).toBe(digest());
});
