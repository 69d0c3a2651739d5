import { describe, expect, test } from 'vitest';
import { aclOnDisk } from '../../../server/filesystems/ext4/acl.ts';
import { layDirectory } from '../../../server/filesystems/ext4/directory-layout.ts';
import {
  addExtent,
  type Extent,
  encodeExtents,
  treeBlocks,
} from '../../../server/filesystems/ext4/extents.ts';
import { freeSpace } from '../../../server/filesystems/ext4/free-space.ts';
import { hasSuperblock } from '../../../server/filesystems/ext4/geometry.ts';
import { encodeDevice, encodeTime } from '../../../server/filesystems/ext4/inode-bytes.ts';
import { joinRuns, within } from '../../../server/filesystems/ext4/runs.ts';
import { encodeXattrs } from '../../../server/filesystems/ext4/xattrs.ts';
import { parsePosixAcl } from '../../../server/filesystems/posix-acl.ts';
import { aclV2 } from '../xfs/tree-of.ts';

describe('times', () => {
  test.each([
    [0, 0, 0, 0],
    [-1, 5, 0xffffffff, 5 << 2],
    [-(2 ** 31), 0, 0x80000000, 0],
    [2 ** 31, 0, 0x80000000, 1],
    [2 ** 32, 999_999_999, 0, 999_999_999 * 4 + 1],
    [2 ** 34 - 2 ** 31 - 1, 0, 0x7fffffff, 3],
    [2 ** 40, 0, 0x7fffffff, 3],
    [-(2 ** 40), 0, 0x80000000, 0],
  ])('%i s', (mtime, nanos, seconds, extra) => {
    expect(encodeTime(mtime, nanos)).toEqual({ seconds, extra });
  });
});

test('device numbers: old encoding, new encoding, too large', () => {
  const words = (major: number, minor: number) => {
    const root = Buffer.from(encodeDevice(major, minor) ?? []);
    return [root.readUInt32LE(0), root.readUInt32LE(4)];
  };
  expect(words(8, 1)).toEqual([0x801, 0]);
  expect(words(256, 0)).toEqual([0, 0x10000]);
  expect(words(8, 256)).toEqual([0, 0x100800]);
  expect(encodeDevice(4096, 0)).toBeNull();
  expect(encodeDevice(0, 2 ** 20)).toBeNull();
});

describe('extents', () => {
  test('what continues is joined, up to 32,768 blocks', () => {
    const extents: Extent[] = [];
    addExtent(extents, 0, 100, 5);
    addExtent(extents, 5, 105, 40_000);
    addExtent(extents, 50_000, 40_105, 1);
    expect(extents).toEqual([
      { logical: 0, block: 100, count: 32_768 },
      { logical: 32_768, block: 32_868, count: 7237 },
      { logical: 50_000, block: 40_105, count: 1 },
    ]);
  });

  test('a tree has as many blocks as were counted for it, and a root of 60 bytes', () => {
    for (const count of [0, 1, 4, 5, 340, 341, 1360, 1361, 200_000]) {
      const extents = Array.from({ length: count }, (_, i) => ({ logical: i * 2, block: i * 3, count: 1 }));
      const tree = encodeExtents(extents, (i) => 1000 + i);
      expect(tree.blocks.length).toBe(treeBlocks(count));
      expect(tree.root.length).toBe(60);
    }
  });

  test('a block number beyond 32 bits is split', () => {
    const { root } = encodeExtents([{ logical: 7, block: 2 ** 32 * 3 + 5, count: 2 }], () => 0);
    expect(Buffer.from(root).subarray(12, 24).toString('hex')).toBe('070000000200030005000000');
  });
});

test('copies of the superblock stand in groups 0, 1 and powers of 3, 5 and 7', () => {
  const groups = Array.from({ length: 400 }, (_, group) => group).filter(hasSuperblock);
  expect(groups).toEqual([0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125, 243, 343]);
});

test('places count the blocks between fixed ones', () => {
  const fixed = joinRuns([
    { block: 10, count: 2 },
    { block: 0, count: 3 },
    { block: 12, count: 1 },
  ]);
  expect(fixed).toEqual({ from: [0, 10], to: [3, 13] });
  expect([...within(fixed, 2, 12)]).toEqual([
    { block: 2, count: 1 },
    { block: 10, count: 2 },
  ]);
  const free = freeSpace(fixed, 20);
  expect(free.blocks).toBe(14);
  expect([0, 6, 7, 13].map((place) => free.blockAt(place))).toEqual([3, 9, 13, 19]);
  expect([...free.split(5, 4)]).toEqual([
    { block: 8, count: 2 },
    { block: 13, count: 2 },
  ]);
});

test('access control lists lose the numbers that say nothing', () => {
  const entries = parsePosixAcl(
    aclV2([
      [1, 6, 0xffffffff],
      [2, 4, 1000],
      [4, 4],
      [0x10, 4],
      [0x20, 4, 0xffffffff],
    ]),
  );
  const disk = Buffer.from(aclOnDisk(entries ?? []), 'latin1').toString('hex');
  expect(disk).toBe(`01000000${'01000600'}${'02000400e8030000'}${'04000400'}${'10000400'}${'20000400'}`);
});

describe('xattrs', () => {
  const encode = (...entries: [string, string][]) => encodeXattrs(new Map(entries));

  test('lie in the inode while they fit', () => {
    expect(encode(['user.a', 'b'])).toMatchObject({ inBlock: null });
    const both = encode(['user.a', 'x'.repeat(200)], ['security.selinux', 'label']);
    expect(both).toMatchObject({ inInode: expect.any(Uint8Array), inBlock: expect.any(Uint8Array) });
  });

  test('an empty access control list is none', () => {
    expect(encode(['system.posix_acl_access', aclV2([])])).toEqual({ inInode: null, inBlock: null });
  });

  test('their order does not matter', () => {
    expect(encode(['user.bb', '1'], ['user.a', '2'])).toEqual(encode(['user.a', '2'], ['user.bb', '1']));
  });

  test.each([
    ['user.a', 'x'.repeat(4096), 'room for 4060'],
    ['com.example', '', '"com.example"'],
    ['user.', '', '"user."'],
    ['system.data', '', '"system.data"'],
    ['system.posix_acl_access', 'nonsense', 'malformed'],
  ])('that ext4 cannot keep are refused: %s', (name, value, reason) => {
    expect(encode([name, value])).toContain(reason);
  });
});

describe('directories', () => {
  const names = (count: number, length = 12) =>
    Array.from({ length: count }, (_, i) => String(i).padStart(length, 'n'));

  test('one block has no index', () => {
    expect(layDirectory(names(200), true)).toEqual({ kind: 'linear', blocks: 1 });
    expect(layDirectory(names(204), true)?.kind).toBe('indexed');
  });

  test('a name more changes the leaves near it alone', () => {
    const leaves = (list: readonly string[]) => {
      const layout = layDirectory(list, true);
      if (layout?.kind !== 'indexed') throw new Error('no index');
      return layout.leafStarts.map((from, i) =>
        [...layout.order.subarray(from, layout.leafStarts[i + 1])].map((index) => list[index]).join(),
      );
    };
    const before = new Set(leaves(names(5000)));
    const after = leaves(['one more', ...names(5000)]);
    expect(before.size).toBeGreaterThan(25);
    expect(after.filter((leaf) => !before.has(leaf)).length).toBeLessThanOrEqual(2);
  });

  test('names with one hash go into several leaves, of which all but the first are marked', () => {
    const layout = layDirectory(names(50, 200), true, () => ({ major: 0x80, minor: 0 }));
    if (layout?.kind !== 'indexed') throw new Error('no index');
    expect(layout.leafStarts).toEqual([0, 19, 38]);
    expect(layout.leafHashes).toEqual([0x80, 0x81, 0x81]);
  });

  test('more than two levels of index can hold is refused', () => {
    const lay = (count: number) => {
      let next = 0;
      const spread = () => {
        next += 1;
        return { major: Math.floor((next / (count + 1)) * 2 ** 31) * 2, minor: 0 };
      };
      return layDirectory(new Array<string>(count).fill('n'.repeat(255)), true, spread);
    };
    const held = lay(200_000);
    expect(held).toMatchObject({ kind: 'indexed', nodes: 33 });
    expect(lay(4_000_000)).toBeNull();
  });
});
