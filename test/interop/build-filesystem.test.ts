import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { BuildError } from '../../server/build/build-error.ts';
import { removeContainerLeftovers } from '../../server/build/container-leftovers.ts';
import { makeFilesystem } from '../../server/build/filesystem.ts';
import { freeExtents } from '../../server/build/free-blocks.ts';
import { listExt4 } from '../build/ext4-listing.ts';
import { layerFolder } from '../build/tree-maker.ts';

const { folder, stack, remove } = layerFolder();
afterAll(remove);

const MIB = 1024 ** 2;
const never = new AbortController().signal;
let count = 0;

async function make(tree: ReturnType<typeof stack>, bytes = 64 * MIB): Promise<string> {
  count += 1;
  const file = join(folder, `${count}.ext4`);
  await makeFilesystem(tree, file, bytes, () => {}, never);
  return file;
}

const CAPABILITY = '\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00';
const LONG = 'l'.repeat(255);

/** One of every kind that a Linux disk can hold. */
function hardTree() {
  return stack(
    [
      { path: './', mode: 0o755, mtime: 777 },
      { path: 'd/', mode: 0o1777, uid: 5, mtime: 5000 },
      { path: 'd/file', content: 'hello', mtime: 6000 },
      { path: 'd/link', type: 'hardlink', link: 'd/file' },
      { path: 'd/overwritten', content: 'first' },
      { path: 'd/survivor', type: 'hardlink', link: 'd/overwritten' },
      { path: 'd/gone' },
      { path: 'd/setuid', mode: 0o6755 },
      { path: 'd/big-ids', uid: 3_000_000_000 },
      { path: 'd/old', mtime: 0 },
      { path: 'd/young', mtime: 1_900_000_000 },
      { path: 'd/zeros', content: `${'\0'.repeat(MIB)}end` },
      { path: 'd/fifo', type: 'fifo' },
      { path: 'd/console', type: 'character' },
      { path: 'd/disk', type: 'block' },
      { path: 'd/short', type: 'symlink', link: 'file' },
      { path: 'd/long', type: 'symlink', link: `${'x/'.repeat(400)}\xff` },
      { path: 'd/link-to-link', type: 'hardlink', link: 'd/short' },
    ],
    [
      'd/.wh.gone',
      { path: 'd/overwritten', content: 'second' },
      { path: 'd/\xc3\xbcml\xff\xfe', content: 'bytes' },
      { path: 'd/new\nline' },
      { path: `d/${LONG}`, content: 'capable', xattrs: { 'security.capability': CAPABILITY } },
      {
        path: 'd/labelled',
        xattrs: { 'security.selinux': 'system_u:object_r:bin_t:s0\0', 'user.note': 'a"b\nc' },
      },
    ],
  );
}

test('everything in the tree is on the filesystem', async () => {
  const file = await make(hardTree());
  const listed = listExt4(file);
  expect([...listed.keys()].sort()).toEqual(
    [
      'd',
      'd/file',
      'd/link',
      'd/overwritten',
      'd/survivor',
      'd/setuid',
      'd/big-ids',
      'd/old',
      'd/young',
      'd/zeros',
      'd/fifo',
      'd/console',
      'd/disk',
      'd/short',
      'd/long',
      'd/link-to-link',
      'd/\xc3\xbcml\xff\xfe',
      'd/new\nline',
      `d/${LONG}`,
      'd/labelled',
    ].sort(),
  );
  const at = (path: string) => listed.get(path);
  expect(at('d')).toMatchObject({ mode: 0o041777, uid: 5, mtime: 5000 });
  expect(at('d/file')).toMatchObject({ mode: 0o100644, size: 5, links: 2, mtime: 6000 });
  expect(at('d/link')?.ino).toBe(at('d/file')?.ino);
  expect(at('d/overwritten')).toMatchObject({ size: 6, links: 1 });
  expect(at('d/survivor')).toMatchObject({ size: 5, links: 1 });
  expect(at('d/setuid')).toMatchObject({ mode: 0o106755 });
  expect(at('d/big-ids')).toMatchObject({ uid: 3_000_000_000 });
  expect([at('d/old')?.mtime, at('d/young')?.mtime]).toEqual([0, 1_900_000_000]);
  expect(at('d/fifo')).toMatchObject({ mode: 0o010644 });
  expect(at('d/console')).toMatchObject({ mode: 0o020644, target: '5:1' });
  expect(at('d/disk')).toMatchObject({ mode: 0o060644, target: '5:1' });
  expect(at('d/short')).toMatchObject({ target: 'file', links: 2 });
  expect(at('d/long')?.target).toBe(`${'x/'.repeat(400)}\xff`);
  expect(at('d/link-to-link')?.ino).toBe(at('d/short')?.ino);
  expect(at(`d/${LONG}`)?.xattrs).toEqual([
    'security.capability (20) = 01 00 00 02 00 20 00 00 00 00 00 00 00 00 00 00 00 00 00 00',
  ]);
  const labels = at('d/labelled')?.xattrs.join();
  expect(labels).toContain('security.selinux');
  expect(labels).toContain('user.note (5)');
  execFileSync('/sbin/e2fsck', ['-fn', file], { stdio: 'ignore' });
});

test('old kernels and an old e2fsck can read it', async () => {
  const header = execFileSync('/sbin/dumpe2fs', ['-h', await make(hardTree())], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(/Filesystem features: +(.*)/.exec(header)?.[1]?.split(' ').sort()).toEqual(
    'has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum'
      .split(' ')
      .sort(),
  );
  expect(header).toContain('Reserved block count:     163\n');
});

test('the same tree gives the same bytes, whatever the surroundings and the day', async () => {
  const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
  const first = hash(await make(hardTree()));
  const before = { ...process.env };
  Object.assign(process.env, {
    TZ: 'Asia/Tokyo',
    LANG: 'de_DE.ISO-8859-1',
    LC_ALL: 'C',
    SOURCE_DATE_EPOCH: '1',
    MKE2FS_CONFIG: '/dev/null',
  });
  try {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(hash(await make(hardTree()))).toBe(first);
  } finally {
    process.env = before;
  }
});

test('files that follow each other in the layers follow each other on the disk', async () => {
  const layer = (name: string) =>
    Array.from({ length: 50 }, (_, i) => ({ path: `${name}/${i}`, content: name.repeat(3000) }));
  const file = await make(stack(layer('base'), layer('aaaa')));
  const blockOf = (path: string) =>
    Number(
      /\d+/.exec(
        execFileSync('/sbin/debugfs', ['-R', `blocks /${path}`, file], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      )?.[0],
    );
  expect(blockOf('base/0')).toBeLessThan(blockOf('base/9'));
  expect(blockOf('base/9')).toBeLessThan(blockOf('aaaa/0'));
});

test('free blocks are holes', async () => {
  const file = await make(hardTree());
  const free = await freeExtents(file, never);
  const image = readFileSync(file);
  for (const { offset, bytes } of free)
    expect(image.subarray(offset, offset + bytes).equals(Buffer.alloc(bytes))).toBe(true);
  const freeBytes = free.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(freeBytes).toBeGreaterThan(50 * MIB);
  expect(statSync(file).blocks * 512).toBeLessThan(64 * MIB - freeBytes + MIB);
});

test('more than fits is refused with what to do, by size and by count', async () => {
  const content = 'x'.repeat(15 * MIB);
  const tree = stack(['a', 'b', 'c', 'd', 'e'].map((path) => ({ path, content })));
  await expect(make(tree)).rejects.toMatchObject({
    code: 'filesystem-full',
    message: expect.stringContaining('Raise "size"'),
  });
  const nearly = stack(['a', 'b', 'c', 'd'].map((path) => ({ path, content })));
  const refusal = await make(nearly).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(BuildError);
  expect(refusal).toMatchObject({ code: 'filesystem-full' });
});

test('many small files get the inodes that they need', async () => {
  const tree = stack(Array.from({ length: 6000 }, (_, i) => ({ path: `${i % 60}/${i}`, content: '' })));
  const file = await make(tree);
  expect(listExt4(file).size).toBe(6060);
  expect(spawnSync('/sbin/e2fsck', ['-fn', file]).status).toBe(0);
});

test('a container’s left-overs are out, the mount points are there', async () => {
  const tree = stack([
    '.dockerenv',
    'etc/hostname',
    'dev/',
    { path: 'dev/null', type: 'character' },
    'run/lock/',
    'run/x',
    'tmp/x',
    'lost+found/',
    { path: 'proc', type: 'symlink', link: 'elsewhere' },
  ]);
  removeContainerLeftovers(tree);
  const listed = listExt4(await make(tree));
  expect([...listed.keys()].sort()).toEqual([
    'dev',
    'etc',
    'etc/hostname',
    'etc/machine-id',
    'proc',
    'run',
    'sys',
    'tmp',
  ]);
  expect(listed.get('sys')?.mode).toBe(0o040555);
  expect(listed.get('etc/machine-id')).toMatchObject({ size: 0, mode: 0o100444 });
});
