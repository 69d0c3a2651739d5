/**
 * What a host that has one image must fetch for another: bytes, compressed. Ours beside casync, zchunk, blocks of 4 KiB as
 * RAUC's adaptive updates use them, and the content of the changed files as one zstd stream, which knows the files and has no
 * metadata at all. All from the same partitions, in one run. What says which chunks there are (index, caibx, header) is
 * counted for none.
 */
import { closeSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { Compressor } from 'zstd-napi';
import { LEVEL } from '../server/build/store-partition.ts';
import type { FilesystemPlan } from '../server/filesystems/piece.ts';
import { blockHashes } from './blocks.ts';
import { type ImageName, makeImage } from './images.ts';
import { chunkSet, contents, planOf, treeOf, writePartition } from './partition.ts';
import { requireTools, table, workspace } from './workspace.ts';

const PAIRS: readonly { readonly what: string; readonly from: ImageName; readonly to: ImageName }[] = [
  { what: 'one added layer', from: 'server', to: 'layer' },
  { what: 'one changed file in a middle layer', from: 'server', to: 'middle' },
  { what: 'upgraded packages in the base', from: 'outdated', to: 'bookworm' },
  { what: 'Debian 12 → 13', from: 'bookworm', to: 'server' },
];

await requireTools({
  casync: 'casync',
  zck: 'zchunk',
  zstd: 'zstd',
  docker: 'docker.io',
  mmdebstrap: 'mmdebstrap',
});
await using space = await workspace();
const { folder } = space;
const type = process.argv.includes('--xfs') ? 'xfs' : 'ext4';
const only = PAIRS.filter(
  ({ to, from }) => process.argv.length < 4 || process.argv.includes(`${from}-${to}`),
);

const images = new Map<
  ImageName,
  { readonly plan: FilesystemPlan; readonly raw: string; readonly files: ReturnType<typeof contents> }
>();
for (const name of new Set(only.flatMap(({ from, to }) => [from, to]))) {
  process.stderr.write(`laying out ${name}\n`);
  const tree = await treeOf(await makeImage(name), folder);
  const plan = planOf(tree, type);
  const raw = join(folder, `${name}.raw`);
  writePartition(plan, raw);
  images.set(name, { plan, raw, files: contents(tree) });
}

const rows = [
  ['change', 'full', 'ours', 'casync', 'zchunk', '4 KiB', 'content', 'ours/casync', 'ours/content'],
];
for (const { what, from, to } of only) {
  process.stderr.write(`${what}\n`);
  const [old, next] = [image(from), image(to)];
  const full = ours(null, next.plan);
  const mine = ours(old.plan, next.plan);
  const casync = await casyncDelta(old.raw, next.raw, `${from}-${to}`);
  const zchunk = await zchunkDelta(old.raw, next.raw);
  const blocks = blockDelta(old.raw, next.raw);
  const content = await contentDelta(old.files, next.files, join(folder, 'content'));
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 1);
  rows.push([
    what,
    ...[full, mine, casync, zchunk, blocks, content].map(megabytes),
    (mine / casync).toFixed(2),
    (mine / content).toFixed(2),
  ]);
}
process.stdout.write(`MB to fetch, ${type}\n${table(rows)}\n`);

function image(name: ImageName) {
  const found = images.get(name);
  if (!found) throw new Error(name);
  return found;
}

function ours(old: FilesystemPlan | null, next: FilesystemPlan): number {
  const have = old ? chunkSet(old) : new Map<string, number>();
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: LEVEL });
  let bytes = 0;
  chunkSet(next, (sha256, data) => {
    if (!have.has(sha256)) bytes += compressor.compress(data).length;
  });
  return bytes;
}

async function casyncDelta(old: string, next: string, name: string): Promise<number> {
  const store = join(folder, `${name}.castr`);
  const size = () =>
    readdirSync(store, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.cacnk'))
      .reduce((sum, file) => sum + statSync(join(store, file)).size, 0);
  await execa('casync', ['make', `--store=${store}`, join(folder, 'old.caibx'), old]);
  const before = size();
  await execa('casync', ['make', `--store=${store}`, join(folder, 'new.caibx'), next]);
  return size() - before;
}

async function zchunkDelta(old: string, next: string): Promise<number> {
  const [first, second] = [join(folder, 'old.zck'), join(folder, 'new.zck')];
  await execa('zck', ['-o', first, old]);
  await execa('zck', ['-o', second, next]);
  const { stdout, stderr } = await execa('zck_delta_size', [first, second]);
  const [, total, header] = /download in total (\d+) of .* (\d+) in the header/.exec(stdout + stderr) ?? [];
  if (header === undefined) throw new Error(`zck_delta_size said: ${stdout}${stderr}`);
  return Number(total) - Number(header);
}

/** Different blocks of 4 KiB that the old partition has nowhere, as they are. */
function blockDelta(old: string, next: string): number {
  const have = blockHashes(old);
  let blocks = 0;
  for (const digest of blockHashes(next)) if (!have.has(digest)) blocks += 1;
  return blocks * 4096;
}

async function contentDelta(
  old: ReturnType<typeof contents>,
  next: ReturnType<typeof contents>,
  path: string,
): Promise<number> {
  writeFileSync(path, '');
  const file = openSync(path, 'a');
  for (const [sha256, write] of next) if (!old.has(sha256)) write(file);
  closeSync(file);
  await execa('zstd', ['-q', '-f', '-3', path, '-o', `${path}.zst`]);
  return statSync(`${path}.zst`).size;
}
