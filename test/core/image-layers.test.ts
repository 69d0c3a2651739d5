import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesByLayer, SharedParts } from '../../server/core/image-layers.ts';

const chunks = (...runs: readonly (readonly [number, number])[]) =>
  runs.map(([offset, bytes]) => ({ offset, bytes }));

describe('bytes by layer', () => {
  test('from the start of each to the next one', () => {
    const found = bytesByLayer(chunks([0, 10], [10, 10], [40, 20], [100, 5]), [
      { offset: 10 },
      { offset: null },
      { offset: 40 },
      { offset: 200 },
    ]);
    expect(found).toEqual({ before: 10, layers: [10, 0, 25, 0] });
  });
  test('a chunk in which a layer begins is that layer', () => {
    expect(bytesByLayer(chunks([0, 16]), [{ offset: 12 }])).toEqual({ before: 0, layers: [16] });
  });
  test('no layer has content: all of it is the filesystem itself', () => {
    expect(bytesByLayer(chunks([0, 16]), [{ offset: null }])).toEqual({ before: 16, layers: [0] });
    expect(bytesByLayer(chunks([0, 16]), [])).toEqual({ before: 16, layers: [] });
  });
  test('nothing is lost or counted twice, in whatever order layers begin', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(9), fc.integer({ min: 1, max: 9 }))),
        fc.array(fc.option(fc.nat(100))),
        (steps, offsets) => {
          let at = 0;
          const list = steps.map(([gap, bytes]) => {
            at += gap + bytes;
            return { offset: at - bytes, bytes };
          });
          const { before, layers } = bytesByLayer(
            list,
            offsets.map((offset) => ({ offset })),
          );
          const all = list.reduce((sum, { bytes }) => sum + bytes, 0);
          expect(layers.reduce((sum, bytes) => sum + bytes, before)).toBe(all);
        },
      ),
    );
  });
});

describe('shared parts', () => {
  const shares = (content: number, parts: number, ...runs: readonly (readonly [number, number])[]) => {
    const found = new SharedParts(content, parts);
    for (const [at, bytes] of runs) found.add(at, bytes);
    return found.percents();
  };
  test('a part, halves of two, all of it', () => {
    expect(shares(40, 4, [10, 10])).toEqual([0, 100, 0, 0]);
    expect(shares(40, 4, [5, 10])).toEqual([50, 50, 0, 0]);
    expect(shares(40, 4, [0, 40])).toEqual([100, 100, 100, 100]);
    expect(shares(40, 4)).toEqual([0, 0, 0, 0]);
  });
  test('less content than parts', () => {
    expect(shares(2, 4, [0, 2])).toEqual([100, 100, 100, 100]);
    expect(shares(2, 4, [1, 1])).toEqual([0, 0, 100, 100]);
  });
  test('parts that are no whole number of bytes long', () => {
    expect(new Set(shares(4096, 33, [0, 4096]))).toEqual(new Set([100]));
  });
  test('all chunks of an image share all of its parts, whatever their lengths', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.integer({ min: 1, max: 64 }).map((blocks) => blocks * 4096),
          { minLength: 1, maxLength: 300 },
        ),
        fc.integer({ min: 1, max: 50 }),
        (lengths, parts) => {
          const content = lengths.reduce((sum, bytes) => sum + bytes, 0);
          let at = 0;
          const runs = lengths.map((bytes) => {
            at += bytes;
            return [at - bytes, bytes] as const;
          });
          expect(shares(content, parts, ...runs)).toEqual(Array.from({ length: parts }, () => 100));
        },
      ),
    );
  });
});
