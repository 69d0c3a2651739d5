import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Ext4Profile, planExt4 } from '../../server/filesystems/ext4/plan.ts';
import { emptyFile, FileTree } from '../../server/filesystems/file-tree.ts';
import type { NodeType } from '../../server/filesystems/node.ts';
import { contentFolder, inodeOf } from '../filesystems/made-inodes.ts';
import { canMount, inMounted, listMounted } from '../filesystems/mounted.ts';
import { writePlan } from '../filesystems/write-plan.ts';

const contents = contentFolder();
afterAll(() => contents.remove());
const MIB = 1024 ** 2;
let count = 0;

function make(tree: FileTree, profile: Ext4Profile, bytes = 64 * MIB): string {
  const planned = planExt4(tree, { bytes, uuid: '7761726d-626f-4f74-8000-000000000001', profile });
  if (!planned.ok) throw new Error(planned.reason);
  count += 1;
  const file = join(contents.folder, `${count}.ext4`);
  writePlan(planned.plan, file);
  return file;
}

const mountable = canMount(make(new FileTree(), 'classic'));

/** An ACL as system calls and archives have it: version 2, eight bytes an entry. */
function acl(...entries: readonly (readonly [tag: number, permissions: number, id: number])[]): string {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [i, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + i * 8);
    bytes.writeUInt16LE(permissions, 6 + i * 8);
    bytes.writeUInt32LE(id, 8 + i * 8);
  }
  return bytes.toString('latin1');
}

const NOBODY = 0xffffffff;
const ACL = acl(
  [1, 6, NOBODY],
  [2, 4, 1234],
  [4, 4, NOBODY],
  [8, 5, 3_000_000_000],
  [16, 5, NOBODY],
  [32, 4, NOBODY],
);
const LETTERS: Readonly<Record<NodeType, string>> = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  character: 'c',
  block: 'b',
  fifo: 'p',
};

describe.skipIf(!mountable).each(['classic', 'modern'] as const)('%s, mounted', (profile) => {
  test('the kernel sees what the tree has: types, owners, modes, links, times to the nanosecond', () => {
    const tree = new FileTree();
    const put = (path: string, inode: ReturnType<typeof inodeOf>) => tree.put(path, 0, inode);
    put('old', inodeOf('file', { mtime: -2_000_000_000, mtimeNanos: 1 }));
    put('far', inodeOf('file', { mtime: 10_000_000_000, mtimeNanos: 999_999_999 }));
    put('soon', inodeOf('file', { mtime: 2 ** 32 + 5, mtimeNanos: 123_456_789 }));
    put('owned', inodeOf('file', { uid: 4_000_000_000, gid: 70_000, mode: 0o7751 }));
    const twice = contents.withContent('twice');
    put('d/once', twice);
    put('d/again', twice);
    put('fifo', inodeOf('fifo'));
    for (const length of [1, 59, 60, 61, 4095])
      put(`link${length}`, inodeOf('symlink', { link: 'x'.repeat(length) }));
    put('dir', inodeOf('directory', { mode: 0o2770, mtime: -5 }));
    put(`${'\xe4'.repeat(255)}`, contents.withContent('bytes'));
    put('a"b\nc\\d', emptyFile(0o400));
    const listed = listMounted(make(tree, profile));
    expect([...listed.keys()].sort()).toEqual(
      tree
        .inLayerOrder()
        .map(({ path }) => path)
        .sort(),
    );
    for (const { path, node } of tree.inLayerOrder()) {
      const { meta } = node.inode;
      const seen = listed.get(path);
      expect(seen).toMatchObject({ type: LETTERS[meta.type], mode: meta.mode, uid: meta.uid, gid: meta.gid });
      expect(seen?.link).toBe(meta.link);
      const [seconds, fraction = ''] = seen?.mtime.split('.') ?? [];
      // `find` writes a negative time as its distance to zero.
      if (meta.mtime >= 0)
        expect([Number(seconds), Number(fraction.slice(0, 9))]).toEqual([meta.mtime, meta.mtimeNanos]);
      else expect(Number(seen?.mtime)).toBeCloseTo(meta.mtime + meta.mtimeNanos / 1e9, 3);
    }
    expect(listed.get('d/once')?.links).toBe(2);
  });

  test('devices of any number', () => {
    const numbers = [
      [5, 1],
      [255, 255],
      [256, 0],
      [8, 256],
      [4095, 1_048_575],
    ] as const;
    const tree = new FileTree();
    for (const [major, minor] of numbers)
      tree.put(`${major}:${minor}`, 0, inodeOf('block', { major, minor }));
    const seen = inMounted(make(tree, profile), 'ro', "stat -c '%n %Hr:%Lr' *:*")
      .toString()
      .trim()
      .split('\n');
    expect(seen.sort()).toEqual(
      numbers.map(([major, minor]) => `${major}:${minor} ${major}:${minor}`).sort(),
    );
  });

  test('xattrs and access control lists, in the inode and in a block', () => {
    const tree = new FileTree();
    const xattrs = new Map([
      ['system.posix_acl_access', ACL],
      ['user.empty', ''],
      ['user.long', 'v'.repeat(3000)],
      ['trusted.overlay.opaque', 'y'],
      ['security.selinux', 'system_u:object_r:etc_t:s0\0'],
    ]);
    tree.put('file', 0, inodeOf('file', { mode: 0o654, xattrs }));
    tree.put('small', 0, inodeOf('file', { xattrs: new Map([['user.a', 'b']]) }));
    tree.put('link', 0, inodeOf('symlink', { link: 'file', xattrs: new Map([['security.selinux', 'l']]) }));
    tree.put('dir', 0, inodeOf('directory', { xattrs: new Map([['system.posix_acl_default', ACL]]) }));
    const read =
      'getfattr -h -d -m - -e hex file small link dir; getfattr -e hex -n system.posix_acl_default dir';
    const seen = inMounted(make(tree, profile), 'ro', read).toString();
    const hex = (value: string) => `0x${Buffer.from(value, 'latin1').toString('hex')}`;
    for (const [name, value] of xattrs) expect(seen).toContain(`${name}=${hex(value)}\n`);
    expect(seen).toContain(`system.posix_acl_default=${hex(ACL)}`);
    expect(seen).toContain(`user.a=${hex('b')}`);
  });

  test('contents with holes are read as they are', () => {
    const tree = new FileTree();
    const size = 9 * 1024 ** 3;
    tree.put(
      'f',
      0,
      contents.withRuns(size, [
        { at: 0, bytes: 10 },
        { at: size - 4096, bytes: 4096 },
      ]),
    );
    const script = 'stat -c "%s %b" f; head -c 12 f; tail -c 6 f';
    const seen = inMounted(make(tree, profile), 'ro', script).toString();
    expect(seen).toBe(`${size} 16\nrun 0 run \0\x001 run `);
  });

  test('every name of a large directory is found, in a leaf of the index', () => {
    const tree = new FileTree();
    for (let i = 0; i < 20_000; i += 1)
      tree.put(`many/\xc3\xbc-${i}-${'n'.repeat(i % 150)}`, 0, emptyFile(0o644));
    const names = tree.inLayerOrder().filter(({ path }) => path.includes('/'));
    const input = Buffer.from(names.map(({ path }) => `${path}\0`).join(''), 'latin1');
    const file = make(tree, profile, 200 * MIB);
    expect(inMounted(file, 'ro', 'xargs -0 stat -c x | wc -l', input).toString().trim()).toBe('20000');
  });

  test('a host can work on it: write, add, remove; clean afterwards', () => {
    const tree = new FileTree();
    for (let i = 0; i < 3000; i += 1)
      tree.put(`d${i % 3}/f${i}`, i % 2, contents.withContent(`content ${i}`));
    for (let i = 0; i < 100; i += 1)
      tree.put(`x/${i}`, 2, inodeOf('file', { xattrs: new Map([['user.note', 'n'.repeat(200)]]) }));
    const file = make(tree, profile, 200 * MIB);
    inMounted(
      file,
      'rw',
      `for i in $(seq 1000); do echo $i > d0/new$i; done
       rm -r d1; rm d2/f*5
       setfattr -n user.note -v other x/7; setfattr -x user.note x/8; rm x/9
       dd if=/dev/urandom of=big bs=1M count=60 2>/dev/null
       mkdir -p a/b/c; mv d2 a/b/c; ln a/b/c/d2/f2 hard`,
    );
    const { status, stdout } = spawnSync('/sbin/e2fsck', ['-fn', file], { encoding: 'latin1' });
    expect(stdout).toMatch(/Pass 5/);
    expect(status).toBe(0);
    expect(inMounted(file, 'ro', 'cat d0/f0; cat d0/new77').toString()).toBe('content 077\n');
  });
});
