import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Fat32Options, type FatFile, planFat32 } from '../../../server/filesystems/fat32/plan.ts';

const MIB = 1024 ** 2;
const options: Fat32Options = {
  bytes: 64 * MIB,
  sectorBytes: 512,
  hiddenSectors: 0,
  volumeId: 1,
  label: 'TEST',
};
const reasonOf = (files: readonly FatFile[], parts: Partial<Fat32Options> = {}) => {
  const planned = planFat32(files, { ...options, ...parts });
  return planned.ok ? null : planned.reason;
};

test('what would not be FAT32 is refused with the smallest size', () => {
  expect(reasonOf([], { bytes: 32 * MIB })).toMatch(
    /512 bytes needs 33 MiB at least, the boot partition has 32/,
  );
  expect(reasonOf([], { bytes: 33 * MIB })).toBeNull();
  expect(reasonOf([], { bytes: 256 * MIB, sectorBytes: 4096 })).toMatch(/4096 bytes needs 257 MiB/);
  expect(reasonOf([], { bytes: 257 * MIB, sectorBytes: 4096 })).toBeNull();
});

test('files that do not fit, are too long for FAT, or have names that it does not take', () => {
  expect(reasonOf([{ path: 'big', bytes: 64 * MIB }])).toMatch(/the files need 65 MiB, .* room for 62/);
  expect(reasonOf([{ path: 'big', bytes: 2 ** 32 }], { bytes: 8192 * MIB })).toMatch(
    /big has 4294967296 bytes/,
  );
  for (const path of ['a//b', '../x', 'a:b', 'ends.', 'ends ', 'naïve', ''])
    expect(reasonOf([{ path, bytes: 1 }])).toMatch(/is no name/);
});

test('no two things share a byte, and all lie inside', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,30}$/);
  const file = fc.record({
    path: fc.tuple(name, name).map((parts) => parts.join('.d/')),
    bytes: fc.nat(100_000),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(file, { maxLength: 60, selector: ({ path }) => path.toLowerCase() }),
      (files) => {
        const planned = planFat32(files, options);
        if (!planned.ok) throw new Error(planned.reason);
        const { metadata, files: placed } = planned.plan;
        const runs = [
          ...metadata.map(({ offset, data }) => [offset, offset + data.length] as const),
          ...placed.map(({ offset, bytes }) => [offset, offset + bytes] as const),
        ].sort((a, b) => a[0] - b[0]);
        for (const [i, [start, end]] of runs.entries()) {
          expect(start).toBeGreaterThanOrEqual(runs[i - 1]?.[1] ?? 0);
          expect(end).toBeLessThanOrEqual(options.bytes);
        }
        expect(placed.map(({ path }) => path)).toEqual(
          files.filter(({ bytes }) => bytes > 0).map(({ path }) => path),
        );
      },
    ),
  );
});
