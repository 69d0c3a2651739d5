/**
 * Which chunks, and how compressed: the table behind docs/decisions/0002-chunks.md. For each rule and zstd level what a host
 * fetches that has nothing, that lacks one layer, that lacks an upgrade, and the seconds of CPU to cut, hash and compress.
 * Then the CPU of casync and zchunk on the same partition, in the same run.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { Compressor } from 'zstd-napi';
import { LEVEL } from '../server/build/store-partition.ts';
import { CHUNKING, type ChunkingRule } from '../server/core/chunks.ts';
import type { FilesystemPlan } from '../server/filesystems/piece.ts';
import { makeImage } from './images.ts';
import { chunkSet, planOf, treeOf, writePartition } from './partition.ts';
import { median, requireTools, table, workspace } from './workspace.ts';

const RULES: readonly Partial<ChunkingRule>[] = [
  { modulus: 8, minBlocks: 2, maxBlocks: 32 },
  { modulus: 16, minBlocks: 4, maxBlocks: 64 },
  { modulus: 32, minBlocks: 4, maxBlocks: 128 },
];
const LEVELS = [1, 3, 5, 6, 7];
const ROUNDS = 3;

await requireTools({ casync: 'casync', zck: 'zchunk', docker: 'docker.io', mmdebstrap: 'mmdebstrap' });
await using space = await workspace();
const { folder } = space;
const plans = [];
for (const name of ['server', 'layer', 'outdated', 'bookworm'] as const)
  plans.push(planOf(await treeOf(await makeImage(name), folder), 'ext4'));
const [server, layer, outdated, bookworm] = plans as [
  FilesystemPlan,
  FilesystemPlan,
  FilesystemPlan,
  FilesystemPlan,
];

const rows = [['average', 'level', 'chunks', 'full MB', 'one layer MB', 'upgrade MB', 'CPU s']];
for (const numbers of RULES)
  for (const level of LEVELS) {
    const rule = { ...CHUNKING, ...numbers };
    const full = fetched(null, server, rule, level);
    const cells = [full, fetched(server, layer, rule, level), fetched(outdated, bookworm, rule, level)];
    rows.push([
      `${rule.modulus * 4} KiB`,
      String(level),
      String(full.chunks),
      ...cells.map(({ bytes }) => (bytes / 1e6).toFixed(1)),
      full.cpu.toFixed(2),
    ]);
    process.stderr.write('.');
  }
process.stdout.write(`\n${table(rows)}\n\n`);

const raw = join(folder, 'server.raw');
writePartition(server, raw);
const cpu: Record<'ours' | 'casync' | 'zchunk', number[]> = { ours: [], casync: [], zchunk: [] };
for (let round = 0; round < ROUNDS; round += 1) {
  cpu.ours.push(fetched(null, server, CHUNKING, LEVEL).cpu);
  const store = join(folder, `store-${round}`);
  cpu.casync.push(await cpuOf(`casync make --store=${store}.castr ${store}.caibx ${raw}`));
  cpu.zchunk.push(await cpuOf(`zck -o ${store}.zck ${raw}`));
}
const ours = median(cpu.ours);
const seconds = (['ours', 'casync', 'zchunk'] as const).map((who) => [
  who,
  median(cpu[who]).toFixed(2),
  (ours / median(cpu[who])).toFixed(2),
]);
process.stdout.write(`${table([['chunk and compress', 'CPU s', 'ours/it'], ...seconds])}\n`);

function fetched(old: FilesystemPlan | null, next: FilesystemPlan, rule: ChunkingRule, level: number) {
  const have = old ? chunkSet(old, undefined, rule) : new Map<string, number>();
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: level });
  let bytes = 0;
  const began = process.cpuUsage();
  const { size: chunks } = chunkSet(
    next,
    (sha256, data) => {
      if (!have.has(sha256)) bytes += compressor.compress(data).length;
    },
    rule,
  );
  const { user, system } = process.cpuUsage(began);
  return { bytes, chunks, cpu: (user + system) / 1e6 };
}

/** Seconds of user and system time of a command, as bash counts them. */
async function cpuOf(command: string): Promise<number> {
  const { stderr } = await execa('bash', ['-c', `TIMEFORMAT='%U %S'; time ${command} >/dev/null 2>&1`]);
  return stderr
    .trim()
    .split(' ')
    .reduce((sum, text) => sum + Number(text), 0);
}
