import { describe, expect, test } from 'vitest';
import { diskMap, diskOf } from '../../server/web/host/disk-map.ts';
import { saidInventory } from '../fixtures/inventories.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const host = (facts: object = {}) =>
  ({ observation: null, attempt: null, next: { action: 'none', slot: null }, ...facts }) as never;
const layout = (slots: string[], slotBytes: number, data = false) =>
  ({
    name: 'x',
    table: 'gpt',
    leastDiskBytes: 0,
    partitions: [
      { name: 'bios', bytes: MIB },
      { name: 'boot', bytes: 512 * MIB },
      { name: 'state', bytes: 64 * MIB },
      ...slots.map((name) => ({ name, bytes: slotBytes })),
      ...(data ? [{ name: 'data', bytes: null }] : []),
    ],
  }) as never;

describe('widths', () => {
  test.each([
    ['a small disk', ['a', 'b'], 2 * GIB, 5 * GIB],
    ['a large one', ['a', 'b'], 2 * GIB, 4000 * GIB],
    ['eight slots', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], 20 * GIB, 200 * GIB],
    ['a size that nobody knows', ['a', 'b'], 2 * GIB, null],
    ['a disk that is smaller than its layout', ['a', 'b'], 2 * GIB, GIB],
  ])('%s: all can be seen, and fill the drawing', (_, slots, slotBytes, diskBytes) => {
    for (const data of [true, false]) {
      const pieces = diskMap(host(), layout(slots, slotBytes, data), diskBytes);
      const sum = pieces.reduce((total, { width }) => total + width, 0);
      expect(sum).toBeCloseTo(1, 6);
      for (const { width, from } of pieces) {
        expect(width).toBeGreaterThan(0.05);
        expect(from + width).toBeLessThan(1.000001);
      }
    }
  });
  test('what is large enough is to scale', () => {
    const pieces = diskMap(host(), layout(['a', 'b'], 100 * GIB), 400 * GIB);
    const width = (name: string) => pieces.find((piece) => piece.name === name)?.width ?? 0;
    expect(width('a')).toBeCloseTo(width('b'), 6);
    expect(width('unused') / width('a')).toBeCloseTo(1.99, 1);
    expect(pieces.map(({ name }) => name)).toEqual(['boot', 'state', 'a', 'b', 'unused']);
  });
});

test('slots are as the host said, and as is next', () => {
  const seen = {
    observation: {
      environment: 'os',
      slot: 'a',
      default: 'a',
      trial: false,
      slots: { a: { state: 'modified', digest: 'sha256:a' }, b: { state: 'invalid', digest: null } },
    },
    attempt: { outcome: null, progress: { bytesDone: 3, bytesTotal: 2 } },
    next: { action: 'stage', slot: 'b' },
  };
  const [a, b] = diskMap(host(seen), layout(['a', 'b'], GIB), null).filter(({ kind }) => kind === 'slot');
  expect(a?.slot).toMatchObject({ runs: true, isDefault: true, next: null, written: null });
  expect(b?.slot).toMatchObject({ runs: false, state: 'invalid', next: 'stage', written: 1 });
});

test('the disk is named only where there is no doubt', () => {
  const [disk] = saidInventory().disks;
  const of = (...disks: object[]) =>
    diskOf({ disks: disks.map((facts) => ({ ...disk, ...facts })) } as never)?.name ?? null;
  expect(of({ name: 'sda' })).toBe('sda');
  expect(of({ name: 'sda' }, { name: 'sdb', transport: 'usb' })).toBe('sda');
  expect(of({ name: 'sda' }, { name: 'sdb' })).toBeNull();
  expect(of({ name: 'sda' }, { name: 'sdb', content: 'warmboot' })).toBe('sdb');
  expect(of({ name: 'sda', content: 'warmboot' }, { name: 'sdb', content: 'warmboot' })).toBeNull();
  expect(diskOf(null)).toBeNull();
});
