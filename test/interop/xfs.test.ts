import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import type { FileTree, LayerEntry } from '../../server/filesystems/file-tree.ts';
import type { ContentRun } from '../../server/filesystems/node.ts';
import { geometryOf } from '../../server/filesystems/xfs/geometry.ts';
import { planXfs } from '../../server/filesystems/xfs/plan.ts';
import { runsAll } from '../all.ts';
import { writePlan } from '../filesystems/write-plan.ts';
import { aclV2, inode, MIB, treeOf, UUID } from '../filesystems/xfs/tree-of.ts';
import { canMount, expectedListing, listMounted, withMount } from './mounted-listing.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-xfs-'));
afterAll(() => rmSync(folder, { recursive: true }));

const DATA = join(folder, 'data');
const DATA_BYTES = 8 * MIB;
writeFileSync(
  DATA,
  Buffer.from(Uint32Array.from({ length: DATA_BYTES / 4 }, (_, i) => Math.imul(i + 1, 0x9e3779b1)).buffer),
);

/** One file for all, as they are large: a test is done with its filesystem before it makes the next. */
function make(tree: FileTree, bytes = 400 * MIB): string {
  const file = join(folder, 'made.xfs');
  rmSync(file, { force: true });
  const planned = planXfs(tree, { bytes, uuid: UUID });
  if (!planned.ok) throw new Error(`${planned.why}: ${planned.reason}`);
  writePlan(planned.plan, file);
  return file;
}

/** Clean in xfs_repair's eyes, which prints what it would mend even when its exit code is 0. */
function check(file: string): void {
  const { status, stdout, stderr } = spawnSync('xfs_repair', ['-n', '-f', file], { encoding: 'utf8' });
  const told = `${stdout}${stderr}`
    .split('\n')
    .filter((line) =>
      /would|bad|wrong|mismatch|incorrect|disconnected inode \d|error|!=|doesn't|out of/i.test(line),
    );
  expect({ status, told: told.filter((line) => !line.includes('sector size mismatch')) }).toEqual({
    status: 0,
    told: [],
  });
}

const mountable = canMount(make(treeOf()));

/** The filesystem shows exactly the tree. */
function checkAll(tree: FileTree, bytes?: number): string {
  const file = make(tree, bytes);
  check(file);
  if (mountable) expect(listMounted(file)).toEqual(expectedListing(tree));
  return file;
}

function run(at: number, bytes: number, offset = at % MIB): ContentRun {
  return { at, bytes, file: DATA, offset };
}

function hardLink(path: string, target: string, more: Parameters<typeof inode>[1] = {}): LayerEntry {
  return { path, target, states: inode('file', more).meta };
}

function file(path: string, bytes: number, more: Parameters<typeof inode>[1] = {}): LayerEntry {
  return { path, inode: inode('file', more, bytes === 0 ? [] : [run(0, bytes, path.length * 7)]) };
}

const CAPABILITY = '\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00';
const LONG = 'l'.repeat(255);
const ACL = aclV2([
  [1, 6],
  [2, 7, 1000],
  [4, 4],
  [8, 5, 70_000],
  [0x10, 7],
  [0x20, 4],
]);

/** One of every kind that a Linux disk can hold. */
function hardTree(): FileTree {
  const xattrs = (...pairs: [string, string][]) => ({ xattrs: new Map(pairs) });
  return treeOf(
    [
      { path: '', inode: inode('directory', { mode: 0o750, uid: 7, mtime: 777 }) },
      { path: 'd', inode: inode('directory', { mode: 0o1777, uid: 5, gid: 6, mtime: 5000, mtimeNanos: 1 }) },
      file('d/file', 5, { mtime: 6000, mtimeNanos: 999_999_999 }),
      hardLink('d/link', 'd/file', { mtime: 6000, mtimeNanos: 999_999_999 }),
      file('d/overwritten', 5),
      hardLink('d/survivor', 'd/overwritten'),
      file('d/setuid', 9000, { mode: 0o6755 }),
      file('d/big-ids', 1, { uid: 3_000_000_000, gid: 4_294_967_294 }),
      file('d/old', 0, { mtime: -(2 ** 31) }),
      file('d/young', 0, { mtime: 2 ** 31 - 1 }),
      {
        path: 'd/hole',
        inode: inode('file', { size: 3 * MIB + 5 }, [run(0, 4096), run(MIB, 10), run(2 * MIB, MIB + 5)]),
      },
      { path: 'd/all-hole', inode: inode('file', { size: 10 * 1024 ** 3 }) },
      { path: 'd/fifo', inode: inode('fifo', xattrs(['security.selinux', 'fifo\0'])) },
      { path: 'd/console', inode: inode('character', { major: 5, minor: 1 }) },
      {
        path: 'd/disk',
        inode: inode('block', {
          major: 511,
          minor: 2 ** 18 - 1,
          ...xattrs(['trusted.x', 'y'.repeat(4000)]),
        }),
      },
      { path: 'd/short', inode: inode('symlink', { link: 'file', mode: 0o777 }) },
      { path: 'd/inline', inode: inode('symlink', { link: 'i'.repeat(336), mode: 0o777 }) },
      {
        path: 'd/labelled-link',
        inode: inode('symlink', {
          link: 'i'.repeat(320),
          mode: 0o777,
          ...xattrs(['security.selinux', 'link\0']),
        }),
      },
      { path: 'd/longest', inode: inode('symlink', { link: `${'x/'.repeat(511)}\xff`, mode: 0o777 }) },
      hardLink('d/link-to-link', 'd/short'),
      { path: 'empty', inode: inode('directory', { mode: 0o700 }) },
    ],
    [
      file('d/overwritten', 6),
      file('d/\xc3\xbcml\xff\xfe', 5),
      file('d/new\nline', 7),
      file(`d/${LONG}`, 7, xattrs(['security.capability', CAPABILITY])),
      file(
        'd/labelled',
        3,
        xattrs(
          ['security.selinux', 'system_u:object_r:bin_t:s0\0'],
          ['user.note', 'a"b\nc'],
          ['user.empty', ''],
        ),
      ),
      file('d/acl', 3, { mode: 0o674, ...xattrs(['system.posix_acl_access', ACL]) }),
      {
        path: 'd/acl-folder',
        inode: inode('directory', {
          mode: 0o775,
          ...xattrs(
            [
              'system.posix_acl_access',
              aclV2([
                [1, 7],
                [2, 7, 1000],
                [4, 7],
                [0x10, 7],
                [0x20, 5],
              ]),
            ],
            [
              'system.posix_acl_default',
              aclV2([
                [1, 7],
                [4, 5],
                [0x20, 0],
              ]),
            ],
          ),
        }),
      },
    ],
  );
}

test('everything in the tree is on the filesystem', () => {
  checkAll(hardTree());
});

describe('sizes', () => {
  const more = runsAll() ? [128, 300, 3001, 100_000] : [];
  test.each([64, 1000.00390625, 130_000, 1_000_000, ...more])('%d MiB', (mebibytes) => {
    checkAll(treeOf([file('a/b', 100_000)]), mebibytes * MIB);
  });
});

describe('folders', () => {
  // Around each border between the forms: within the inode, one block, one leaf, a tree.
  test('of many lengths', () => {
    const lengths = [1, 10, 25, 26, 27, 28, 29, 30, 100, 125, 130, 140, 480, 490, 495, 500, 505, 600];
    checkAll(
      treeOf(lengths.flatMap((files) => Array.from({ length: files }, (_, i) => file(`${files}/n${i}`, 0)))),
    );
  });

  test('20,000 files', () => {
    const made = checkAll(
      treeOf(Array.from({ length: 20_000 }, (_, i) => file(`d/file number ${i}`, i % 50 === 0 ? 10 : 0))),
    );
    expect(
      execFileSync('xfs_db', ['-r', '-c', 'path /d', '-c', 'p core.nextents', made], { encoding: 'utf8' }),
    ).toContain('= 3');
  });

  test('names of 255 bytes fill more than one block of the free index', () => {
    const pad = 'p'.repeat(247);
    const names = Array.from({ length: 31_000 }, (_, i) => `d/${String(i).padStart(8, '0')}${pad}`);
    check(make(treeOf(names.map((path) => file(path, 0)))));
  });

  test('names with equal hashes', () => {
    // The hash of a name of four bytes: 7-bit shifts overlap.
    const names = ['aaaa', 'aa`\xe1', 'a`\xe1a'].flatMap((start) =>
      Array.from({ length: 200 }, (_, i) => `d/${start}${i}`),
    );
    checkAll(treeOf(names.map((path) => file(path, 0))));
  });
});

describe('content', () => {
  test('of many runs', () => {
    checkAll(
      treeOf(
        [17, 18, 19, 21, 22, 2000, 6000].flatMap((runs) => {
          const content = Array.from({ length: runs }, (_, i) => run(i * 8192, 4096, (i * 64) % MIB));
          const fragments = inode('file', { size: runs * 8192 }, content);
          return [{ path: `fragments-${runs}`, inode: fragments }, file(`next-${runs}`, 5)];
        }),
      ),
    );
  });

  test('runs and an attribute share the inode', () => {
    const content = Array.from({ length: 900 }, (_, i) => run(i * 8192, 4096));
    checkAll(
      treeOf(
        [10, 200, 2000].map((bytes) => {
          const xattrs = new Map([['user.a', 'x'.repeat(bytes)]]);
          return { path: `f${bytes}`, inode: inode('file', { xattrs }, content) };
        }),
      ),
    );
  });

  test('9 GiB of holes and runs', () => {
    const step = 1024 ** 3;
    const content = Array.from({ length: 9 }, (_, i) => run(i * step, 3 * MIB - i, i * 4096));
    checkAll(treeOf([{ path: 'big', inode: inode('file', { size: 9 * step + 77 }, content) }]));
  });

  test('a file that crosses allocation groups', () => {
    const content = Array.from({ length: 80 }, (_, i) => run(i * 4 * MIB, 4 * MIB, 0));
    checkAll(treeOf([{ path: 'f', inode: inode('file', {}, content) }, file('after', 5)]), 400 * MIB);
  });

  test('so many extents of free space and chunks of inodes that their trees have levels', () => {
    const layers = Array.from({ length: 1500 }, (_, i) => [file(`${i}`, 5000)]);
    checkAll(treeOf(...layers), 1000 * MIB);
  });
});

describe('attributes', () => {
  test('values of many lengths', () => {
    const lengths = [1, 100, 254, 255, 256, 300, 2000, 3050, 3060, 3100, 4040, 4041, 20_000, 61_440, 65_536];
    checkAll(
      treeOf(
        lengths.flatMap((bytes) => {
          const value = 'v\0\xff'.repeat(bytes).slice(0, bytes);
          const xattrs = new Map([['user.value', value]]);
          return [file(`f${bytes}`, 5, { xattrs }), file(`g${bytes}`, 5)];
        }),
      ),
    );
  });

  test('many attributes on every kind', () => {
    const xattrs = new Map(
      Array.from({ length: 90 }, (_, i) => [`user.${'n'.repeat(i)}${i}`, `${i}`.repeat(i * 10)]),
    );
    const trusted = new Map([...xattrs].map(([name, value]) => [name.replace('user', 'trusted'), value]));
    checkAll(
      treeOf([
        file('f', 5, { xattrs }),
        { path: '', inode: inode('directory', { xattrs }) },
        { path: 'd', inode: inode('directory', { xattrs: trusted }) },
        { path: 's', inode: inode('symlink', { link: 'f', mode: 0o777, xattrs: trusted }) },
        { path: 'c', inode: inode('character', { major: 1, minor: 2, xattrs: trusted }) },
      ]),
    );
  });
});

test('times that XFS has no room for are moved to the nearest end', () => {
  const image = make(
    treeOf([file('late', 0, { mtime: 2 ** 31 }), file('early', 0, { mtime: -(2 ** 31) - 1 })]),
  );
  const seconds = (name: string) =>
    execFileSync(
      '/sbin/xfs_db',
      ['-r', '-c', `path /${name}`, '-c', 'print v3.crtime.sec core.mtime.sec', image],
      {
        encoding: 'utf8',
        env: { ...process.env, TZ: 'UTC' },
      },
    );
  expect(seconds('late')).toMatch(/Jan 19 03:14:07 2038/);
  expect(seconds('early')).toMatch(/Dec 13 20:45:52 1901/);
});

describe('refusals', () => {
  const why = (tree: FileTree, bytes = 400 * MIB) => {
    const planned = planXfs(tree, { bytes, uuid: UUID });
    return planned.ok ? null : `${planned.why}: ${planned.reason}`;
  };
  test.each<[string, LayerEntry, string]>([
    [
      'a foreign attribute',
      file('f', 0, { xattrs: new Map([['system.richacl', 'x']]) }),
      '/f: its extended attribute system.richacl',
    ],
    [
      'a broken list',
      file('f', 0, { xattrs: new Map([['system.posix_acl_access', 'x']]) }),
      '/f: its system.posix_acl_access',
    ],
    [
      'a long value',
      file('f', 0, { xattrs: new Map([['user.x', 'x'.repeat(65_537)]]) }),
      '/f: its extended attribute user.x has 65537',
    ],
    [
      'a long link',
      { path: 's', inode: inode('symlink', { link: 'x'.repeat(1024) }) },
      '/s: its target has 1024',
    ],
    ['a long name', file('n'.repeat(256), 0), 'its name has 256 bytes'],
    ['a device number', { path: 'c', inode: inode('character', { minor: 2 ** 18 }) }, '/c: device 0:262144'],
    ['a major number', { path: 'c', inode: inode('block', { major: 512 }) }, '/c: device 512:0'],
    ['holes within blocks', { path: 'h', inode: inode('file', {}, [run(512, 512)]) }, '/h: its holes'],
  ])('%s', (_, entry, reason) => {
    expect(why(treeOf([entry]))).toContain(reason);
    expect(why(treeOf([entry]))).toMatch(/^unsupported: /);
  });

  test('too much content, too many files, too small a partition', () => {
    const content = Array.from({ length: 100 }, (_, i) => run(i * 4 * MIB, 4 * MIB, 0));
    expect(why(treeOf([{ path: 'f', inode: inode('file', {}, content) }]))).toBe(
      'full: 1 file with 401 MiB are more than XFS can place in 336 MiB of space',
    );
    const files = Array.from({ length: 130_000 }, (_, i) => file(`d${i % 1000}/${i}`, 0));
    expect(why(treeOf(files), 64 * MIB)).toMatch(/^full: 131000 files and folders with \d+ MiB/);
    expect(why(treeOf(), 63 * MIB)).toBe('full: XFS needs 64 MiB, and there are 63 MiB');
  });
});

test('nearly full, with less and less slack', () => {
  for (const mebibytes of runsAll() ? [80, 100, 109, 113] : [113]) {
    const files = Array.from({ length: mebibytes * 4 }, (_, i) => file(`d${i % 9}/${i}`, MIB / 4));
    checkAll(treeOf(files), 128 * MIB);
  }
});

test('inodes without gaps, when there is room for nothing else', () => {
  const files = Array.from({ length: 90_000 }, (_, i) => file(`d${i % 100}/${i}`, 0));
  check(make(treeOf(files), 64 * MIB));
});

test('numbers of inodes above 32 bits, behind more than 2 TiB of content', () => {
  const bytes = 2.2 * 1024 ** 4 - ((2.2 * 1024 ** 4) % 4096);
  const tree = treeOf(
    [{ path: 'big', inode: inode('file', {}, [{ at: 0, bytes, file: DATA, offset: 0 }]) }],
    [file('d/a', 0), { path: 'd/s/t', inode: inode('directory') }, file('e', 0)],
    Array.from({ length: 200 }, (_, i) => file(`d/many/${i}`, 0)),
  );
  const planned = planXfs(tree, { bytes: 5 * 1024 ** 4, uuid: UUID });
  if (!planned.ok) throw new Error(planned.reason);
  const { plan } = planned;
  const made = join(folder, 'wide.xfs');
  // The content itself stays a hole: nobody has 2 TiB for a test.
  const pieces = () => [...plan.pieces()].filter(({ from }) => from.kind === 'made');
  writePlan({ bytes: plan.bytes, pieces }, made);
  check(made);
  if (!mountable) return;
  expect(Number(withMount(made, 'stat -c %i "$M/d/s/t"'))).toBeGreaterThan(2 ** 32);
  expect(withMount(made, 'cd "$M" && find . -type d | sort; find . | wc -l').split('\n')).toEqual([
    '.',
    './d',
    './d/many',
    './d/s',
    './d/s/t',
    '208',
    '',
  ]);
});

/** What mkfs.xfs makes with the same switches; null when this one does not know them all (before 6.10). */
function mkfs(bytes: number): string | null {
  const made = join(folder, 'mkfs.xfs');
  writeFileSync(made, '');
  truncateSync(made, bytes);
  const { status } = spawnSync('mkfs.xfs', [
    ...['-q', '-m', `crc=1,finobt=0,reflink=0,rmapbt=0,bigtime=0,inobtcount=0,uuid=${UUID}`],
    ...['-i', 'sparse=0,nrext64=0,exchange=0', '-n', 'ftype=1,parent=0', '-s', 'size=4096', made],
  ]);
  return status === 0 ? made : null;
}

test.runIf(mkfs(300 * MIB)).each(runsAll() ? [300, 400, 1000, 5000] : [300, 1000])(
  'empty, %d MiB: the headers and the journal are those of mkfs.xfs',
  (mebibytes) => {
    const theirs = openSync(mkfs(mebibytes * MIB) ?? '', 'r');
    const ours = openSync(make(treeOf(), mebibytes * MIB), 'r');
    const { agBlocks, agCount, log } = geometryOf(mebibytes * MIB);
    const block = (from: number, at: number) => {
      const data = Buffer.alloc(4096);
      readSync(from, data, 0, 4096, at * 4096);
      return data.toString('hex');
    };
    // The copies of the superblock differ: mkfs.xfs leaves old counters in them.
    const blocks = [0, log.ag * agBlocks + log.agBlock, log.ag * agBlocks + log.agBlock + 1];
    for (let ag = 0; ag < agCount; ag += 1) for (let i = 1; i <= 7; i += 1) blocks.push(ag * agBlocks + i);
    for (const at of blocks) expect({ at, data: block(ours, at) }).toEqual({ at, data: block(theirs, at) });
    closeSync(theirs);
    closeSync(ours);
  },
);

test('these checks would tell of damage', () => {
  const made = make(treeOf([file('a', 5000)]));
  const disk = openSync(made, 'r+');
  // The owner of the root directory: only the checksum can tell.
  writeSync(disk, Buffer.from([9]), 0, 1, 12 * 4096 + 11);
  closeSync(disk);
  expect(() => check(made)).toThrow();
});

test('only what Linux 3.10 mounts is switched on', () => {
  const made = make(hardTree());
  const sb = execFileSync(
    'xfs_db',
    [
      '-r',
      '-c',
      'sb 0',
      '-c',
      'p versionnum features2 features_compat features_ro_compat features_incompat features_log_incompat sectsize logsectsize',
      made,
    ],
    { encoding: 'utf8' },
  );
  expect(sb.trim().split('\n')).toEqual([
    'versionnum = 0xbcb5',
    'features2 = 0x18a',
    'features_compat = 0',
    'features_ro_compat = 0',
    'features_incompat = 0x1',
    'features_log_incompat = 0',
    'sectsize = 4096',
    'logsectsize = 4096',
  ]);
});

test('the same tree gives the same bytes, whatever the surroundings', () => {
  const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  const first = hash(make(hardTree(), 64 * MIB));
  const before = { ...process.env };
  Object.assign(process.env, { TZ: 'Asia/Tokyo', LANG: 'de_DE.ISO-8859-1', LC_ALL: 'C' });
  try {
    expect(hash(make(hardTree(), 64 * MIB))).toBe(first);
  } finally {
    process.env = before;
  }
});

test.runIf(mountable)('a kernel can go on from there: files come, grow and go', () => {
  const names = Array.from({ length: 3000 }, (_, i) => file(`d/f${i}`, i));
  const content = Array.from({ length: 2000 }, (_, i) => run(i * 8192, 4096));
  const made = make(
    treeOf(...Array.from({ length: 900 }, (_, i) => [file(`l/${i}`, 4096)]), [
      ...names,
      { path: 'runs', inode: inode('file', {}, content) },
    ]),
  );
  withMount(
    made,
    `cd "$M" && for i in $(seq 2000); do echo $i > d/new$i; done && rm d/f1* && for i in 1 3 5 7 900; do printf x | dd of=runs bs=4096 seek=$i conv=notrunc; done && rm -r l && cp -a d e && truncate -s 4096 runs && sync`,
    'nouuid',
  );
  check(made);
});

test('random trees', () => {
  const name = fc.string({ unit: fc.constantFrom(...'ab\xe9\n'), minLength: 1, maxLength: 60 });
  const xattrs = fc
    .dictionary(
      fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 30 }),
      fc.nat(6000),
      { maxKeys: 6 },
    )
    .map((found) => new Map(Object.entries(found).map(([key, bytes]) => [`user.${key}`, 'v'.repeat(bytes)])));
  const entry = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 3 }),
    kind: fc.constantFrom('file', 'directory', 'symlink' as const),
    xattrs,
    runs: fc.array(fc.record({ gap: fc.nat(3), blocks: fc.integer({ min: 1, max: 5 }) }), { maxLength: 40 }),
    target: fc.integer({ min: 1, max: 1023 }),
    copies: fc.constantFrom(1, 1, 1, 30, 300),
  });
  fc.assert(
    fc.property(fc.array(fc.array(entry, { maxLength: 12 }), { maxLength: 4 }), (layers) => {
      const trees = layers.map((entries) =>
        entries.flatMap(({ path, kind, xattrs: own, runs, target, copies }) => {
          let at = 0;
          const content =
            kind !== 'file'
              ? []
              : runs.map(({ gap, blocks }) => {
                  at += (gap + blocks) * 4096;
                  return run(at - blocks * 4096, blocks * 4096);
                });
          const more = kind === 'symlink' ? { link: 't'.repeat(target), mode: 0o777 } : { xattrs: own };
          return Array.from({ length: copies }, (_, i) => ({
            path: path.join('/') + (i || ''),
            inode: inode(kind, more, content),
          }));
        }),
      );
      checkAll(treeOf(...trees));
    }),
    { numRuns: runsAll() ? 20 : 5 },
  );
});
