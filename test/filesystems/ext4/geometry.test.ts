import fc from 'fast-check';
import { expect, test } from 'vitest';
import { treeBlocks } from '../../../server/filesystems/ext4/extents.ts';
import { layGeometry, usualInodesPerGroup } from '../../../server/filesystems/ext4/geometry.ts';
import { mostTreeBlocks } from '../../../server/filesystems/ext4/measure.ts';

const MIB = 1024 ** 2;
const partition = fc.record({
  bytes: fc
    .oneof(fc.integer({ min: 16, max: 3000 }), fc.integer({ min: 3000, max: 300_000 }))
    .map((mib) => mib * MIB),
  profile: fc.constantFrom('classic' as const, 'modern' as const),
  density: fc.constantFrom(1, 2, 4),
});

test('nothing fixed overlaps, and everything lies within the partition', () => {
  fc.assert(
    fc.property(partition, ({ bytes, profile, density }) => {
      const perGroup = Math.min(32_768, usualInodesPerGroup(bytes) * density);
      const geometry = layGeometry(bytes, profile, perGroup);
      if (!geometry) return;
      const { groups, blocks, fixed, free, journal, tableBlocks } = geometry;
      const parts = [{ block: journal.block, count: journal.count }];
      for (let group = 0; group < groups; group += 1)
        parts.push(
          { block: geometry.blockBitmap[group] ?? -1, count: 1 },
          { block: geometry.inodeBitmap[group] ?? -1, count: 1 },
          { block: geometry.inodeTable[group] ?? -1, count: tableBlocks },
        );
      parts.sort((a, b) => a.block - b.block);
      let end = 1;
      for (const { block, count } of parts) {
        expect(block).toBeGreaterThanOrEqual(end);
        end = block + count;
      }
      expect(end).toBeLessThanOrEqual(blocks);
      const used = fixed.from.reduce((sum, from, i) => sum + (fixed.to[i] ?? 0) - from, 0);
      expect(free.blocks).toBe(blocks - used);
    }),
    { numRuns: 60 },
  );
});

test('an extent tree has the room that its file may need, wherever it lies', () => {
  fc.assert(
    fc.property(
      partition,
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(400_000),
      (given, where, most) => {
        const perGroup = Math.min(32_768, usualInodesPerGroup(given.bytes) * given.density);
        const geometry = layGeometry(given.bytes, given.profile, perGroup);
        if (!geometry || geometry.free.blocks === 0) return;
        const place = Math.min(geometry.free.blocks - 1, Math.floor(where * geometry.free.blocks));
        const count = Math.min(most + 1, geometry.free.blocks - place);
        let extents = 0;
        for (const run of geometry.free.split(place, count)) extents += Math.ceil(run.count / 32_768);
        expect(treeBlocks(extents)).toBeLessThanOrEqual(mostTreeBlocks(1, count));
      },
    ),
    { numRuns: 300 },
  );
});
