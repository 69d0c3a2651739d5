import { afterAll, expect, test } from 'vitest';
import { readStart } from '../../server/build/tree/tree-file.ts';
import type { FileTree } from '../../server/filesystems/file-tree.ts';
import { layerFolder } from '../build/tree/tree-maker.ts';

const { stack, remove } = layerFolder();
afterAll(remove);

/** "path=content" in the order of the partition; a slash for directories, a layer in brackets. */
function listing(tree: FileTree): string[] {
  return tree.inLayerOrder().map(({ path, node }) => {
    const { meta } = node.inode;
    if (node.children) return `[${node.layer}] ${path}/`;
    return `[${node.layer}] ${path}=${meta.type === 'file' ? readStart(node.inode, 100).toString('latin1') : meta.type}`;
  });
}

test('layers in order, inside a layer by path bytes, each path once with the content that won', () => {
  const tree = stack(
    ['etc/', { path: 'etc/z' }, { path: 'etc/a' }, 'etc/a-b', { path: 'changed', content: 'old' }],
    [{ path: 'changed', content: 'new' }, 'etc/', { path: 'etc/m' }],
  );
  expect(listing(tree)).toEqual([
    '[0] etc/',
    '[0] etc/a=etc/a',
    '[0] etc/a-b=etc/a-b',
    '[0] etc/z=etc/z',
    '[1] changed=new',
    '[1] etc/m=etc/m',
  ]);
});

test('a whiteout removes a file or a whole tree, but nothing of its own layer', () => {
  const tree = stack(
    ['d/', 'd/a', 'd/sub/', 'd/sub/x', 'gone/', 'gone/deep/', 'gone/deep/er'],
    ['d/', 'd/.wh.a', '.wh.gone', 'gone', 'd/sub/', 'd/sub/.wh.nothing'],
  );
  expect(listing(tree)).toEqual(['[0] d/', '[0] d/sub/', '[0] d/sub/x=d/sub/x', '[1] gone=gone']);
});

test('an opaque directory hides what is below it, wherever in the layer it is stated', () => {
  const tree = stack(['d/', 'd/old', 'd/s/', 'd/s/older'], ['d/', 'd/new', 'd/.wh..wh..opq', 'd/zz']);
  expect(listing(tree)).toEqual(['[0] d/', '[1] d/new=d/new', '[1] d/zz=d/zz']);
});

test('a name that only looks like a whiteout in the middle stays', () => {
  expect(listing(stack(['a.wh.b', '.wh..wh.plnk/', '.whx']))).toEqual(['[0] .whx=.whx', '[0] a.wh.b=a.wh.b']);
});

test('a file replaces a directory, a directory a file, a symlink either', () => {
  const tree = stack(
    ['a/', 'a/in', 'b', 'c/', 'c/in'],
    [{ path: 'a', content: 'file' }, 'b/', 'b/in', { path: 'c', type: 'symlink', link: 'b' }],
  );
  expect(listing(tree)).toEqual(['[1] a=file', '[1] b/', '[1] b/in=b/in', '[1] c=symlink']);
});

test('a file below what a lower layer has as a symlink makes a directory of it', () => {
  const tree = stack(['usr/', 'usr/lib/', { path: 'lib', type: 'symlink', link: 'usr/lib' }], ['lib/x']);
  expect(listing(tree)).toEqual(['[0] usr/', '[0] usr/lib/', '[1] lib/', '[1] lib/x=lib/x']);
});

test('a directory has the metadata of the last layer that states it, at the place where it was made', () => {
  const tree = stack(
    [{ path: 'd/', mode: 0o700, mtime: 1 }, 'd/x'],
    [{ path: 'd/', mode: 0o1777, mtime: 2, uid: 7 }],
  );
  expect(tree.find('d')).toMatchObject({ layer: 0, inode: { meta: { mode: 0o1777, mtime: 2, uid: 7 } } });
  expect(tree.find('d/x')).toBeDefined();
});

test('a directory that no layer states is root’s, 0755', () => {
  expect(stack(['x/y/z']).find('x/y')?.inode.meta).toMatchObject({ type: 'directory', mode: 0o755, uid: 0 });
});

test('hard links share an inode, within a layer and across layers', () => {
  const tree = stack(
    [
      { path: 'a', content: 'one' },
      { path: 'b', type: 'hardlink', link: 'a' },
    ],
    [{ path: 'c', type: 'hardlink', link: './b' }],
  );
  expect(tree.find('a')?.inode).toBe(tree.find('c')?.inode);
  expect(listing(tree)).toEqual(['[0] a=one', '[0] b=one', '[1] c=one']);
});

test('a hard link keeps the content when its target is overwritten or removed later', () => {
  const tree = stack(
    [
      { path: 'a', content: 'one' },
      { path: 'b', type: 'hardlink', link: 'a' },
      { path: 'c', type: 'hardlink', link: 'a' },
    ],
    [{ path: 'a', content: 'two' }, '.wh.c'],
  );
  expect(listing(tree)).toEqual(['[0] b=one', '[1] a=two']);
});

test('what a hard link states of owner, mode, time and xattrs holds for its target too', () => {
  const tree = stack([
    { path: 'a', content: 'one', mtime: 5, xattrs: { 'user.a': '1' } },
    { path: 'b', type: 'hardlink', link: 'a', mode: 0o600, uid: 3, mtime: 7, xattrs: { 'user.b': '2' } },
    { path: 's', type: 'symlink', link: 'a', mode: 0o777 },
    { path: 't', type: 'hardlink', link: 's', mode: 0o600, uid: 4 },
  ]);
  expect(tree.find('a')?.inode.meta).toMatchObject({ type: 'file', size: 3, mode: 0o600, uid: 3, mtime: 7 });
  expect([...(tree.find('a')?.inode.meta.xattrs ?? [])]).toEqual([
    ['user.a', '1'],
    ['user.b', '2'],
  ]);
  expect(tree.find('s')?.inode.meta).toMatchObject({ type: 'symlink', link: 'a', mode: 0o777, uid: 4 });
});

test('a file below a symlink of the same layer goes where the symlink leads, and never outside', () => {
  const tree = stack([
    'usr/lib/',
    { path: 'lib', type: 'symlink', link: 'usr/lib' },
    { path: 'lib/x', content: 'x' },
    { path: 'second', type: 'hardlink', link: 'lib/x' },
    { path: 'up', type: 'symlink', link: '../../../usr' },
    { path: 'up/lib/y', content: 'y' },
    { path: 'loop', type: 'symlink', link: 'loop' },
    { path: 'loop/z', content: 'z' },
  ]);
  expect(tree.find('second')?.inode).toBe(tree.find('usr/lib/x')?.inode);
  expect(listing(tree).filter((line) => /[xyz]$/.test(line))).toEqual([
    '[0] loop/z=z',
    '[0] second=x',
    '[0] usr/lib/x=x',
    '[0] usr/lib/y=y',
  ]);
});

test('a hard link to nothing, or to a directory, is refused', () => {
  expect(() => stack([{ path: 'b', type: 'hardlink', link: 'a' }])).toThrow('hard link to a');
  expect(() => stack(['a/', { path: 'b', type: 'hardlink', link: 'a' }])).toThrow('hard link to a');
});

test('a path that leads outside is refused, odd spellings are not', () => {
  expect(() => stack(['a/../../x'])).toThrow('outside');
  expect(listing(stack(['./a//b', '/c', 'd/../e']))).toEqual([
    '[0] a/',
    '[0] a/b=./a//b',
    '[0] c=/c',
    '[0] e=d/../e',
  ]);
});

test('what no layer can mean is refused, and nothing is lost silently', () => {
  expect(() => stack([{ path: 'a', content: 'file' }, 'a/b'])).toThrow(
    'a is a file, and something lies below it',
  );
  expect(listing(stack([{ path: 'a', content: 'file' }], ['a/b']))).toEqual(['[1] a/', '[1] a/b=a/b']);
  expect(() => stack([{ path: './', type: 'file', content: 'x' }])).toThrow('without a name');
  expect(() => stack([`${'x/'.repeat(2048)}y`])).toThrow('path of 4097 bytes');
});

test('names are bytes', () => {
  const tree = stack(['d/\xff\xfe', 'd/\xc3\xbc', 'd/new\nline', `d/${'x'.repeat(255)}`]);
  expect(
    listing(tree)
      .slice(1)
      .map((line) => line.slice(4).split('=')[0]),
  ).toEqual(['d/new\nline', `d/${'x'.repeat(255)}`, 'd/\xc3\xbc', 'd/\xff\xfe']);
});

test('symlinks resolve inside the tree: absolute, relative, through folders, beyond the top', () => {
  const tree = stack([
    'usr/lib/systemd/systemd',
    { path: 'lib', type: 'symlink', link: 'usr/lib' },
    { path: 'sbin/init', type: 'symlink', link: '../lib/systemd/systemd' },
    { path: 'abs', type: 'symlink', link: '/../../lib/systemd' },
    { path: 'loop', type: 'symlink', link: 'loop' },
    { path: 'broken', type: 'symlink', link: 'nowhere' },
  ]);
  expect(tree.resolve('sbin/init')?.path).toBe('usr/lib/systemd/systemd');
  expect(tree.resolve('abs/systemd')?.path).toBe('usr/lib/systemd/systemd');
  expect(tree.resolve('')?.path).toBe('');
  expect(tree.resolve('loop')).toBeNull();
  expect(tree.resolve('broken')).toBeNull();
  expect(tree.resolve('sbin/init/x')).toBeNull();
});
