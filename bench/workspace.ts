import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A folder that goes when the bench ends, however it ends. */
export async function workspace(): Promise<{
  readonly folder: string;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  const folder = await mkdtemp(join(process.env.TMPDIR ?? tmpdir(), 'warmboot-bench-'));
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < 12 * 2 ** 30)
    throw new Error(`${folder} has less than 12 GiB free; set TMPDIR to a larger place`);
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** Ends with a sentence when a peer is not installed. */
export async function requireTools(packages: Readonly<Record<string, string>>): Promise<void> {
  const missing = [];
  for (const [tool, name] of Object.entries(packages))
    if ((await execa('sh', ['-c', `command -v ${tool}`], { reject: false })).failed) missing.push(name);
  if (missing.length > 0) {
    process.stderr.write(
      `The bench compares with tools that are not installed: apt-get install ${missing.join(' ')}\n`,
    );
    process.exit(1);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Rows as a table, the first column left, the others right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  '),
    )
    .join('\n');
}

/** The same for bench/README.md. */
export function markdown(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rest.map(line)].join('\n');
}
