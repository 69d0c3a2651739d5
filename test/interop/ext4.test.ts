import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { removeContainerLeftovers } from '../../server/build/tree/container-leftovers.ts';
import { type Ext4Profile, planExt4 } from '../../server/filesystems/ext4/plan.ts';
import { emptyFile, FileTree } from '../../server/filesystems/file-tree.ts';
import type { FilesystemPlan } from '../../server/filesystems/piece.ts';
import { runsAll } from '../all.ts';
import { listExt4 } from '../build/ext4-listing.ts';
import { layerFolder } from '../build/tree/tree-maker.ts';
import { contentFolder, inodeOf } from '../filesystems/made-inodes.ts';
import { writePlan } from '../filesystems/write-plan.ts';

const { folder, stack, remove } = layerFolder();
const contents = contentFolder();
afterAll(() => {
  remove();
  contents.remove();
});

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const UUID = '7761726d-626f-4f74-8000-000000000001';
const PROFILES: readonly Ext4Profile[] = ['classic', 'modern'];
let count = 0;

function planned(tree: FileTree, bytes: number, profile: Ext4Profile): FilesystemPlan {
  const result = planExt4(tree, { bytes, uuid: UUID, profile });
  if (!result.ok) throw new Error(`${result.why}: ${result.reason}`);
  return result.plan;
}

/** Writes the filesystem and has it checked. */
function make(tree: FileTree, profile: Ext4Profile, bytes = 64 * MIB): string {
  count += 1;
  const file = join(folder, `${count}.ext4`);
  writePlan(planned(tree, bytes, profile), file);
  expectClean(file);
  return file;
}

function expectClean(file: string): void {
  const { status, stdout } = spawnSync('/sbin/e2fsck', ['-fn', file], {
    encoding: 'latin1',
    maxBuffer: 1 << 28,
  });
  expect(stdout.slice(0, 4000)).toMatch(/Pass 5: .*\n[^\n]*: \d+\/\d+ files/);
  expect(status).toBe(0);
}

const CAPABILITY = '\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00';
const LONG = 'l'.repeat(255);

/** One of every kind that a Linux disk can hold, as tars bring it. */
function hardTree(): FileTree {
  return stack(
    [
      { path: './', mode: 0o755, mtime: 777 },
      { path: 'd/', mode: 0o1777, uid: 5, mtime: 5000 },
      { path: 'd/file', content: 'hello', mtime: 6000 },
      { path: 'd/link', type: 'hardlink', link: 'd/file', mtime: 6000 },
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

describe.each(PROFILES)('%s', (profile) => {
  /** The same code places them in both; the descriptors of `modern` are twice as long. */
  const large = test.runIf(runsAll() || profile === 'modern');

  test('everything in the tree is on the filesystem', () => {
    const listed = listExt4(make(hardTree(), profile));
    expect([...listed.keys()].sort()).toEqual(
      [
        'd',
        ...['file', 'link', 'overwritten', 'survivor', 'setuid', 'big-ids', 'old', 'young', 'zeros', 'fifo'],
        ...[
          'console',
          'disk',
          'short',
          'long',
          'link-to-link',
          '\xc3\xbcml\xff\xfe',
          'new\nline',
          LONG,
          'labelled',
        ],
      ]
        .map((name) => (name === 'd' ? name : `d/${name}`))
        .sort(),
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
  });

  test('its features are those that its kernels know', () => {
    const header = execFileSync('/sbin/dumpe2fs', ['-h', make(hardTree(), profile)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const own = profile === 'classic' ? ['uninit_bg'] : ['64bit', 'metadata_csum'];
    const common =
      'has_journal ext_attr dir_index filetype extent flex_bg sparse_super large_file huge_file dir_nlink extra_isize';
    expect(/Filesystem features: +(.*)/.exec(header)?.[1]?.split(' ').sort()).toEqual(
      [...common.split(' '), ...own].sort(),
    );
    for (const line of [
      'Filesystem flags:         unsigned_directory_hash',
      'Filesystem state:         clean',
      'Errors behavior:          Continue',
      'Reserved block count:     163\n',
      'Maximum mount count:      -1',
      'Check interval:           0 ',
      'Default directory hash:   half_md4',
      'Total journal size:       4096k',
      'Journal start:            0',
    ])
      expect(header).toContain(line);
  });

  test('the same tree gives the same bytes, whatever the surroundings and the day', async () => {
    const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
    const first = hash(make(hardTree(), profile));
    const before = { ...process.env };
    Object.assign(process.env, {
      TZ: 'Asia/Tokyo',
      LANG: 'de_DE.ISO-8859-1',
      LC_ALL: 'C',
      SOURCE_DATE_EPOCH: '1',
    });
    try {
      await new Promise((resolve) => setTimeout(resolve, 1100));
      expect(hash(make(hardTree(), profile))).toBe(first);
    } finally {
      process.env = before;
    }
  });

  test('no piece covers a free block, pieces rise, and a second run gives them again', () => {
    const plan = planned(hardTree(), 64 * MIB, profile);
    const file = make(hardTree(), profile);
    const dump = execFileSync('/sbin/dumpe2fs', [file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const free = [...dump.matchAll(/^ {2}Free blocks: (.*)$/gm)].flatMap(([, list = '']) =>
      list.split(', ').map((range) => range.split('-').map(Number)),
    );
    expect(free.length).toBeGreaterThan(0);
    let end = 0;
    for (const { offset, bytes } of plan.pieces()) {
      expect((offset % 4096) | (bytes % 4096)).toBe(0);
      expect(offset).toBeGreaterThanOrEqual(end);
      end = offset + bytes;
      for (const [from = 0, to = from] of free) {
        const overlaps = offset < (to + 1) * 4096 && end > from * 4096;
        expect(overlaps, `blocks ${from} to ${to} are free`).toBe(false);
      }
    }
    expect([...plan.pieces()].length).toBe([...plan.pieces()].length);
  });

  test('many small files get the inodes that they need', () => {
    const tree = stack(Array.from({ length: 6000 }, (_, i) => ({ path: `${i % 60}/${i}`, content: '' })));
    expect(listExt4(make(tree, profile)).size).toBe(6060);
  });

  test('partitions of any length are clean, also where a last group is too short to be used', () => {
    const tree = new FileTree();
    tree.put('f', 0, contents.withContent('x'));
    for (const bytes of [
      16 * MIB,
      16 * MIB + 4096,
      128 * MIB - 4096,
      128 * MIB,
      128 * MIB + 4096,
      131 * MIB,
      2 * GIB + MIB,
      2 * GIB + 5 * MIB,
      10 * GIB + 12_288,
      300 * GIB,
    ]) {
      const file = make(tree, profile, bytes);
      expect(listExt4(file).get('f')?.size).toBe(1);
      rmSync(file);
    }
  });

  test('each copy of the superblock can stand in for the first', () => {
    const file = make(hardTree(), profile, 500 * MIB);
    for (const block of [32768, 98304])
      expect(spawnSync('/sbin/e2fsck', ['-fn', '-b', String(block), '-B', '4096', file]).status).toBeLessThan(
        8,
      );
    expect(
      execFileSync('/sbin/dumpe2fs', ['-h', '-o', 'superblock=98304', '-o', 'blocksize=4096', file], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ).toContain(UUID);
  });

  test('a directory of 20,000 names and of the longest names has an index', () => {
    const tree = new FileTree();
    for (let i = 0; i < 20_000; i += 1) tree.put(`many/\xfcname-${i}`, 0, emptyFile(0o644));
    for (let i = 0; i < 9000; i += 1)
      tree.put(`long/${String(i).padStart(255, '\xe9')}`, 0, emptyFile(0o600));
    const file = make(tree, profile, 600 * MIB);
    expect(listExt4(file).size).toBe(29_002);
    const index = execFileSync('/sbin/debugfs', ['-R', 'htree /long', file], {
      encoding: 'latin1',
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(index).toContain('Indirect levels: 1');
  });

  test('a file of 9 GiB made of holes and some runs', () => {
    const tree = new FileTree();
    const at = [0, 4096 * 7, 5 * GIB, 9 * GIB - 8192];
    tree.put(
      'sparse',
      0,
      contents.withRuns(
        9 * GIB,
        at.map((each) => ({ at: each, bytes: 5000 })),
      ),
    );
    const file = make(tree, profile);
    const stat = debugfs(file, 'stat /sparse');
    expect(stat).toContain(`Size: ${9 * GIB}`);
    expect(stat).toContain('Blockcount: 64');
  });

  test.each([
    [4, 0],
    [5, 1],
    [341, 2],
    [1361, 6],
    [6000, 19],
  ])('a file in %i pieces has %i blocks of extents', (pieces, blocks) => {
    const tree = new FileTree();
    const runs = Array.from({ length: pieces }, (_, i) => ({ at: i * 8192, bytes: 4096 }));
    tree.put('f', 0, contents.withRuns(pieces * 8192, runs));
    const file = make(tree, profile, 100 * MIB);
    expect(debugfs(file, 'stat /f')).toContain(`Blockcount: ${(pieces + blocks) * 8}`);
    const dump = join(folder, 'dumped');
    debugfs(file, `dump /f ${dump}`);
    const read = readFileSync(dump);
    for (const i of [0, 3, pieces - 1])
      expect(read.subarray(i * 8192, i * 8192 + 4096).equals(Buffer.alloc(4096, `run ${i} `))).toBe(true);
    expect(read.subarray(4096, 8192).equals(Buffer.alloc(4096))).toBe(true);
  });

  large('a file across several groups goes around what is fixed there', () => {
    const tree = new FileTree();
    const bytes = 300 * MIB;
    tree.put('big', 0, contents.withRuns(bytes, [{ at: 0, bytes }]));
    const file = make(tree, profile, 500 * MIB);
    const dump = join(folder, 'dumped');
    debugfs(file, `dump /big ${dump}`);
    expect(readFileSync(dump).equals(Buffer.alloc(bytes, 'run 0 '))).toBe(true);
  });

  large('tables as dense as they can be, with a long file around them', () => {
    const tree = new FileTree();
    for (let i = 0; i < 100_000; i += 1) tree.put(`${i % 100}/${i}`, i % 2, emptyFile(0o644));
    const bytes = 150 * MIB;
    tree.put('big', 1, contents.withRuns(bytes, [{ at: 0, bytes }]));
    const file = make(tree, profile, 512 * MIB);
    expect(debugfs(file, 'stats')).toContain('Inodes per group:         32768');
    const dump = join(folder, 'dumped');
    debugfs(file, `dump /big ${dump}`);
    expect(readFileSync(dump).equals(Buffer.alloc(bytes, 'run 0 '))).toBe(true);
  });

  test('equal xattrs that do not fit into inodes share a block, others do not', () => {
    const tree = new FileTree();
    const note = (value: string) => inodeOf('file', { xattrs: new Map([['user.note', value.repeat(300)]]) });
    tree.put('a', 0, note('1'));
    tree.put('b', 0, note('1'));
    tree.put('c', 0, note('2'));
    const file = make(tree, profile);
    const blockOf = (path: string) => /File ACL: (\d+)/.exec(debugfs(file, `stat ${path}`))?.[1];
    expect(Number(blockOf('a'))).toBeGreaterThan(0);
    expect(blockOf('c')).not.toBe(blockOf('a'));
    expect(listExt4(file).get('b')?.xattrs[0]).toContain('user.note (300)');
  });

  test('random trees come out as they went in', () => {
    fc.assert(
      fc.property(randomEntries, fc.integer({ min: 20, max: 300 }), (entries, mib) => {
        const tree = new FileTree();
        for (const { path, layer, size, type } of entries) {
          const inode =
            type === 'file'
              ? contents.withContent(Buffer.alloc(size, 'z'))
              : type === 'symlink'
                ? inodeOf('symlink', { link: 't'.repeat((size % 4000) + 1) })
                : inodeOf(type);
          tree.put(path, layer, inode);
        }
        const file = make(tree, profile, mib * MIB);
        const listed = listExt4(file);
        const wanted = tree.inLayerOrder();
        expect([...listed.keys()].sort()).toEqual(wanted.map(({ path }) => path).sort());
        for (const { path, node } of wanted)
          if (node.inode.meta.type === 'file') expect(listed.get(path)?.size).toBe(node.inode.meta.size);
        rmSync(file);
      }),
      { numRuns: runsAll() ? 25 : 6 },
    );
  });
});

const name = fc.stringMatching(/^[a-z\xe0-\xff ]{1,30}$/).filter((each) => each.trim() === each);
const randomEntries = fc
  .array(
    fc.record({
      path: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
      layer: fc.nat(3),
      size: fc.oneof(fc.nat(100), fc.nat(40_000)),
      type: fc.constantFrom('file', 'symlink', 'directory', 'fifo', 'block'),
    }),
    { maxLength: 80 },
  )
  .map((entries) => entries.sort((a, b) => a.layer - b.layer));

function debugfs(file: string, command: string): string {
  return execFileSync('/sbin/debugfs', ['-R', command, file], {
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

test('files that follow each other in the layers follow each other on the disk', () => {
  const layer = (name: string) =>
    Array.from({ length: 50 }, (_, i) => ({ path: `${name}/${i}`, content: name.repeat(3000) }));
  const file = make(stack(layer('base'), layer('aaaa')), 'modern');
  const blockOf = (path: string) => Number(/\d+/.exec(debugfs(file, `blocks /${path}`))?.[0]);
  expect(blockOf('base/0')).toBeLessThan(blockOf('base/9'));
  expect(blockOf('base/9')).toBeLessThan(blockOf('aaaa/0'));
});

test('a partition that is nearly full is used to the end', () => {
  const tree = new FileTree();
  for (let i = 0; i < 200; i += 1)
    tree.put(`f${i}`, i % 7, contents.withRuns(286_720, [{ at: 0, bytes: 286_720 }]));
  const file = make(tree, 'classic');
  expect(listExt4(file).size).toBe(200);
});

test('more than 65,000 subdirectories count as one link', () => {
  const tree = new FileTree();
  for (let i = 0; i < 65_001; i += 1) tree.put(`d/${i}`, 0, inodeOf('directory'));
  const file = make(tree, 'modern', 2 * GIB);
  expect(debugfs(file, 'stat /d')).toContain('Links: 1 ');
});

test('a lost+found of the image’s own keeps what is in it', () => {
  const tree = new FileTree();
  tree.put('lost+found', 0, inodeOf('directory', { mode: 0o711, uid: 7 }));
  tree.put('lost+found/kept', 0, contents.withContent('kept'));
  const file = make(tree, 'modern');
  expect(debugfs(file, 'cat /lost+found/kept')).toBe('kept');
  expect(debugfs(file, 'stat /lost+found')).toMatch(/Inode: 11 +Type: directory +Mode: {2}0711/);
});

test('a container’s left-overs are out, the mount points are there', () => {
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
  const listed = listExt4(make(tree, 'modern'));
  expect([...listed.keys()].sort()).toEqual(
    ['dev', 'etc', 'etc/hostname', 'etc/machine-id', 'proc', 'run', 'sys', 'tmp'].sort(),
  );
  expect(listed.get('sys')?.mode).toBe(0o040555);
  expect(listed.get('etc/machine-id')).toMatchObject({ size: 0, mode: 0o100444 });
});
