import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { planExt4 } from '../../../server/filesystems/ext4/plan.ts';
import { FileTree } from '../../../server/filesystems/file-tree.ts';
import type { Inode } from '../../../server/filesystems/node.ts';
import { inodeOf, metadata } from '../made-inodes.ts';

const BLOCK = 4096;
const UUID = '7761726d-626f-4f74-8000-000000000001';

interface File {
  readonly path: string;
  readonly layer: number;
  readonly blocks: number;
}

/** A file whose content is named by its path: equal paths and lengths have equal bytes. */
function content({ path, blocks }: File): Inode {
  const bytes = blocks * BLOCK;
  return { meta: metadata('file', { size: bytes }), content: [{ at: 0, bytes, file: path, offset: 0 }] };
}

function files(layer: number, count: number): File[] {
  return Array.from({ length: count }, (_, i) => ({
    path: `layer${layer}/d${Math.floor(i / 12)}/f${i}`,
    layer,
    blocks: (i * 7) % 11,
  }));
}

/** What lies in each block: a hash, or which block of which file. */
function blocksOf(list: readonly File[], order: (a: File, b: File) => number = () => 0): Map<number, string> {
  const tree = new FileTree();
  for (const file of [...list].sort(order)) tree.put(file.path, file.layer, content(file));
  const planned = planExt4(tree, { bytes: 512 * 1024 ** 2, uuid: UUID, profile: 'modern' });
  if (!planned.ok) throw new Error(planned.reason);
  const blocks = new Map<number, string>();
  for (const { offset, bytes, from } of planned.plan.pieces()) {
    const made = from.kind === 'made' ? from.make() : null;
    for (let at = 0; at < bytes; at += BLOCK)
      blocks.set(
        (offset + at) / BLOCK,
        made
          ? createHash('sha1')
              .update(made.subarray(at, at + BLOCK))
              .digest('hex')
          : from.kind === 'copied'
            ? `${from.file} ${from.offset + at}`
            : '',
      );
  }
  return blocks;
}

function differing(a: ReadonlyMap<number, string>, b: ReadonlyMap<number, string>): number[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((block) => a.get(block) !== b.get(block));
}

const BASE = [...files(0, 1500), ...files(1, 1200), ...files(2, 300)];
const before = blocksOf(BASE);

test('the order in which files came into the tree does not matter', () => {
  expect(
    differing(
      before,
      blocksOf(BASE, (a, b) => (a.path < b.path ? 1 : -1)),
    ),
  ).toEqual([]);
});

test('a last layer that is another leaves the blocks of the layers below as they are', () => {
  const after = blocksOf([
    ...BASE.filter(({ layer }) => layer < 2),
    ...files(2, 900).map((file) => ({ ...file, blocks: 5 })),
  ]);
  for (const [block, what] of before)
    if (/^layer[01]/.test(what)) expect(after.get(block), `block ${block}, ${what}`).toBe(what);
  // Superblocks, descriptors, bitmaps, the root directory; the last layer's own tables and directories.
  const made = differing(before, after).filter(
    (block) => !(after.get(block) ?? before.get(block))?.startsWith('layer'),
  );
  const last = (300 + 900) / 16 + (300 + 900) / 12;
  expect(made.length).toBeLessThan(last * 1.6 + 20);
});

test('one layer more on top changes less than 20 blocks besides its own', () => {
  const after = blocksOf([...BASE, { path: 'more/one', layer: 3, blocks: 3 }]);
  expect(differing(before, after).length).toBeLessThan(20);
});

test.each([3, 400, 700, 1100, 1499])('file %i, a block longer, changes little but its segment', (index) => {
  const grown = BASE.map((file, i) => (i === index ? { ...file, blocks: file.blocks + 1 } : file));
  const changed = differing(before, blocksOf(grown));
  // A segment has 80 files of 5 blocks on average; a few are several times longer.
  expect(changed.length).toBeGreaterThan(0);
  expect(changed.length).toBeLessThan(1500);
});

test.each([2, 500, 900, 1300])('a file more behind file %i moves little but its segment', (index) => {
  const near = BASE[index] as File;
  const changed = differing(before, blocksOf([...BASE, { ...near, path: `${near.path}-more` }]));
  expect(changed.length).toBeLessThan(1500);
});

test('a directory that grows by blocks moves no content', () => {
  const names = Array.from({ length: 300 }, (_, i) => ({
    path: `layer0/d3/empty-${i}`,
    layer: 2,
    blocks: 0,
  }));
  const after = blocksOf([...BASE, ...names]);
  for (const [block, what] of before)
    if (/^layer[01]/.test(what)) expect(after.get(block), `block ${block}, ${what}`).toBe(what);
});

test('a version in the name of a directory moves no content', () => {
  const modules = (version: string) =>
    BASE.map((file) => ({ ...file, path: file.path.replace('layer1/', `layer1/modules-${version}/`) }));
  const places = (list: File[]) =>
    [...blocksOf(list)]
      .map(([block, what]) => `${block} ${what.replace(/modules-[\d.]+/, '')}`)
      .filter((line) => line.includes('layer'));
  expect(places(modules('6.1.20'))).toEqual(places(modules('6.1.31')));
});

test('an inode’s place is the same whatever its neighbours’ attributes are', () => {
  const tree = (mode: number) => {
    const made = new FileTree();
    for (let i = 0; i < 100; i += 1) made.put(`f${i}`, 0, inodeOf('file', { mode: i === 50 ? mode : 0o644 }));
    const planned = planExt4(made, { bytes: 64 * 1024 ** 2, uuid: UUID, profile: 'classic' });
    if (!planned.ok) throw new Error(planned.reason);
    return [...planned.plan.pieces()].flatMap(({ from }) =>
      from.kind === 'made' ? [Buffer.from(from.make())] : [],
    );
  };
  const [a, b] = [Buffer.concat(tree(0o644)), Buffer.concat(tree(0o600))];
  expect([...a].filter((byte, i) => byte !== b[i]).length).toBe(1);
});
