import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { Compressor } from 'zstd-napi';
import { parseOsRelease } from '../../../server/build/accept/os-release.ts';
import { findLayers, mergeLayers } from '../../../server/build/tree/layers.ts';
import { readText } from '../../../server/build/tree/tree-file.ts';
import { writeTar } from './tar-maker.ts';
import { layerFolder } from './tree-maker.ts';

const { folder, remove } = layerFolder();
afterAll(remove);

/** A tar as `docker save` writes it. */
function saved(
  name: string,
  files: Readonly<Record<string, Buffer>>,
  links: Readonly<Record<string, string>> = {},
): string {
  const source = join(folder, name);
  for (const [path, data] of Object.entries(files)) {
    mkdirSync(join(source, path, '..'), { recursive: true });
    writeFileSync(join(source, path), data);
  }
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(source, path, '..'), { recursive: true });
    execFileSync('ln', ['-s', target, join(source, path)]);
  }
  execFileSync('tar', ['-C', source, '-cf', `${source}.tar`, ...Object.keys(files), ...Object.keys(links)]);
  return `${source}.tar`;
}

const layer = (...members: string[]) => readFileSync(writeTar(join(folder, 'layer.tar'), members).path);
const manifest = (...Layers: string[]) =>
  Buffer.from(JSON.stringify([{ Config: 'c', RepoTags: null, Layers }]));

test('layers in the order of the manifest, plain, gzip and zstd', async () => {
  const path = saved('oci', {
    'blobs/sha256/top': gzipSync(layer('a/.wh.x', 'a/top')),
    'blobs/sha256/base': layer('a/x', 'a/y'),
    'blobs/sha256/zstd': new Compressor().compress(layer('z')),
    'manifest.json': manifest('blobs/sha256/base', 'blobs/sha256/top', 'blobs/sha256/zstd'),
  });
  const tree = mergeLayers(await findLayers(path, folder));
  expect([...(tree.find('a')?.children?.keys() ?? [])].sort()).toEqual(['top', 'y']);
  expect(readText(tree, 'z')).toBe('z');
});

test('what made each layer, where the configuration says it', async () => {
  const config = {
    history: [
      { created_by: 'COPY base / # buildkit' },
      { created_by: 'ENV A=é', empty_layer: true },
      { created_by: 'RUN /bin/sh -c echo é # buildkit' },
    ],
  };
  const files = {
    'blobs/a': layer('a'),
    'blobs/b': layer('b'),
    'manifest.json': manifest('blobs/a', 'blobs/b'),
  };
  const madeBy = async (name: string, more: Record<string, Buffer>) =>
    (await findLayers(saved(name, { ...files, ...more }), folder)).map((each) => each.madeBy);
  expect(await madeBy('with-config', { c: Buffer.from(JSON.stringify(config)) })).toEqual([
    'COPY base /',
    'RUN echo é',
  ]);
  expect(await madeBy('bad-config', { c: Buffer.from('{') })).toEqual([null, null]);
  expect(await madeBy('no-config', {})).toEqual([null, null]);
});

test('a layer that an older Docker saved as a link to another', async () => {
  const path = saved(
    'old',
    { 'one/layer.tar': layer('x'), 'manifest.json': manifest('one/layer.tar', 'two/layer.tar') },
    { 'two/layer.tar': '../one/layer.tar' },
  );
  expect(await findLayers(path, folder)).toHaveLength(2);
});

test('what is missing or damaged is said in a sentence', async () => {
  const without = saved('without', { 'blobs/x': layer('x') });
  await expect(findLayers(without, folder)).rejects.toMatchObject({
    code: 'layers',
    message: expect.stringContaining('manifest.json'),
  });
  const lost = saved('lost', { 'manifest.json': manifest('blobs/y') });
  await expect(findLayers(lost, folder)).rejects.toMatchObject({
    code: 'layers',
    message: expect.stringContaining('blobs/y'),
  });
  const bad = saved('bad', { 'blobs/x': Buffer.alloc(2048, 'x'), 'manifest.json': manifest('blobs/x') });
  const layers = await findLayers(bad, folder);
  expect(() => mergeLayers(layers)).toThrow('Layer 1 can');
});

test('os-release with quotes, escapes and defaults', () => {
  expect(
    parseOsRelease('# c\nID=rocky\nVERSION_ID="9.3"\nPRETTY_NAME=\'Rocky "9"\'\nID_LIKE="rhel  fedora"\n'),
  ).toEqual({
    id: 'rocky',
    version: '9.3',
    name: 'Rocky "9"',
    like: ['rocky', 'rhel', 'fedora'],
  });
  expect(parseOsRelease('')).toEqual({ id: 'linux', version: '', name: 'Linux', like: ['linux'] });
});
