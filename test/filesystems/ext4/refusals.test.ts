import { describe, expect, test } from 'vitest';
import { type Ext4Options, planExt4 } from '../../../server/filesystems/ext4/plan.ts';
import { emptyFile, FileTree } from '../../../server/filesystems/file-tree.ts';
import type { Inode } from '../../../server/filesystems/node.ts';
import { inodeOf, metadata } from '../made-inodes.ts';

const MIB = 1024 ** 2;
const OPTIONS: Ext4Options = {
  bytes: 64 * MIB,
  uuid: '7761726d-626f-4f74-8000-000000000001',
  profile: 'classic',
};

function answer(tree: FileTree, options: Partial<Ext4Options> = {}): string {
  const planned = planExt4(tree, { ...OPTIONS, ...options });
  return planned.ok ? 'planned' : `${planned.why}: ${planned.reason}`;
}

function treeOf(...entries: readonly (readonly [path: string, inode: Inode])[]): FileTree {
  const tree = new FileTree();
  for (const [path, inode] of entries) tree.put(path, 0, inode);
  return tree;
}

function fileOf(bytes: number, at = 0): Inode {
  return { meta: metadata('file', { size: at + bytes }), content: [{ at, bytes, file: 'f', offset: 0 }] };
}

describe('too much', () => {
  test('by size, with how much it is and how much there is', () => {
    const files = ['a', 'b', 'c', 'd', 'e'].map((path) => [path, fileOf(15 * MIB)] as const);
    const reason = answer(treeOf(...files));
    expect(reason).toMatch(
      /^full: they take 76 MiB, and a filesystem of 64 MiB with 5 files .* room for 5\d MiB$/,
    );
    expect(answer(treeOf(...files.slice(0, 4)))).toMatch(/^full/);
    expect(answer(treeOf(...files.slice(0, 3)))).toBe('planned');
  });

  test('by number', () => {
    const tree = new FileTree();
    for (let i = 0; i < 33_000; i += 1) tree.put(`${i % 50}/${i}`, 0, emptyFile(0o644));
    expect(answer(tree, { bytes: 16 * MIB })).toBe(
      'full: there are 33050 files and directories, more than a filesystem of 16 MiB has room for',
    );
    expect(answer(tree, { bytes: 128 * MIB })).toMatch(/^full: there are 33050 files/);
    expect(answer(tree, { bytes: 256 * MIB })).toBe('planned');
  });
});

describe('what ext4 can’t hold', () => {
  const longName = 'n'.repeat(256);
  test.each([
    ['a name that is too long', treeOf([`d/${longName}`, emptyFile(0o644)]), 'd has a name of 256 bytes'],
    [
      'a link that is too long',
      treeOf(['l', inodeOf('symlink', { link: 'x'.repeat(4096) })]),
      'l has a link target',
    ],
    ['a link to nothing', treeOf(['l', inodeOf('symlink')]), 'l has a link target of 0 bytes'],
    [
      'a device number',
      treeOf(['dev/x', inodeOf('block', { major: 5000 })]),
      'dev/x has the device number 5000:0',
    ],
    [
      'an xattr',
      treeOf(['f', inodeOf('file', { xattrs: new Map([['odd.name', '']]) })]),
      'f has an extended attribute',
    ],
    [
      'xattrs that are too long',
      treeOf(['f', inodeOf('file', { xattrs: new Map([['user.a', 'v'.repeat(5000)]]) })]),
      'f has extended attributes of 5020 bytes, and ext4 has room for 4060',
    ],
    [
      'a file that is too long',
      treeOf(['f', inodeOf('file', { size: 2 ** 44 })]),
      'f has 17592186044416 bytes',
    ],
    ['content within a block', treeOf(['f', fileOf(100, 512)]), 'f has content behind a hole'],
    ['a lost+found that is a file', treeOf(['lost+found', emptyFile(0o644)]), 'lost+found is no directory'],
  ])('%s', (_, tree, reason) => {
    expect(answer(tree)).toContain(`unsupported: ${reason}`);
  });

  test('more than 65,000 names of one file', () => {
    const tree = new FileTree();
    const inode = emptyFile(0o644);
    for (let i = 0; i < 65_001; i += 1) tree.put(`f${i}`, 0, inode);
    expect(answer(tree)).toBe('unsupported: f0 has 65001 names, and ext4 allows 65000 hard links');
  });
});

test.each([
  { bytes: 16 * MIB - 4096 },
  { bytes: 16 * 1024 ** 4 + 4096 },
  { bytes: 64 * MIB + 512 },
  { uuid: 'none' },
])('%j is refused', (options) => {
  expect(answer(new FileTree(), options)).toMatch(/^unsupported: /);
});

test.each([16 * MIB, 16 * 1024 ** 4])('%i bytes are the bounds', (bytes) => {
  for (const profile of ['classic', 'modern'] as const)
    expect(answer(new FileTree(), { bytes, profile })).toBe('planned');
});
