import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { recordLayers } from '../../server/build/layer-record.ts';
import { planFilesystem } from '../../server/build/plan-filesystem.ts';
import { mergeLayers, type SavedLayer } from '../../server/build/tree/layers.ts';
import { type Member, writeTar } from './tree/tar-maker.ts';
import { layerFolder } from './tree/tree-maker.ts';

const { folder, remove } = layerFolder();
afterAll(remove);

let count = 0;
const layersOf = (...layers: readonly (Member | string)[][]): SavedLayer[] => {
  // What is written out beside the layers has a place of its own for each image.
  count += 1;
  const own = join(folder, `image-${count}`);
  mkdirSync(own);
  return layers.map((members, at) => ({
    ...writeTar(join(own, `layer-${at}.tar`), members),
    madeBy: `RUN step ${at}`,
  }));
};
const file = (path: string, blocks: number): Member => ({ path, content: 'x'.repeat(blocks * 4096) });

describe.each(['ext4', 'xfs'] as const)('%s', (type) => {
  const record = (layers: readonly SavedLayer[]) => {
    const tree = mergeLayers(layers);
    return recordLayers(layers, tree, planFilesystem(tree, { type, size: 256 * 1024 ** 2 }, 'modern'));
  };

  test('layers lie one behind the other, each with what is left of it', () => {
    const found = record(
      layersOf(
        [file('usr/a', 10), file('usr/b', 20), 'etc/hostname'],
        [file('usr/c', 5), 'usr/.wh.b'],
        ['usr/.wh.nothing'],
        [file('usr/d', 7), { path: 'usr/link', type: 'symlink', link: 'd' }],
      ),
    );
    expect(found.map(({ madeBy }) => madeBy)).toEqual([
      'RUN step 0',
      'RUN step 1',
      'RUN step 2',
      'RUN step 3',
    ]);
    // etc/machine-id is made for whatever image has none.
    expect(found.map(({ files }) => files)).toEqual([3, 1, 0, 2]);
    expect(found.map(({ contentBytes }) => contentBytes / 4096)).toEqual([11, 5, 0, 7]);
    const [base, second, empty, top] = found.map(({ offset }) => offset);
    expect(empty).toBeNull();
    expect(base).toBeGreaterThan(0);
    expect(second).toBeGreaterThan(base ?? 0);
    expect(top).toBeGreaterThan(second ?? 0);
  });

  test('a file that a later layer replaces counts there', () => {
    const found = record(layersOf([file('a', 3)], [file('a', 4)]));
    expect(found.map(({ contentBytes }) => contentBytes / 4096)).toEqual([0, 4]);
  });

  test('many files in directories of three layers', () => {
    const many = (layer: number) =>
      Array.from({ length: 300 }, (_, i) => file(`d${layer}/e${i % 20}/f${i}`, 1 + (i % 5)));
    const found = record(layersOf(many(0), many(1), many(2)));
    const offsets = found.map(({ offset }) => offset ?? -1);
    expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
    expect(found.map(({ contentBytes }) => contentBytes / 4096)).toEqual([900, 900, 900]);
  });
});
