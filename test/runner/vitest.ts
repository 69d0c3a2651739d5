import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { inCheckout } from '../../lab/paths.ts';
import { ALL_MARK } from '../all.ts';
import { SIDE_BY_SIDE } from '../e2e/plan.ts';
import type { Part } from './options.ts';
import { type FileOutcome, readOutcomes } from './outcomes.ts';

export interface VitestRun {
  readonly part: Part;
  /** For the report; a name that no other run of this folder has. */
  readonly name: string;
  readonly folder: string;
  /** With full counts. */
  readonly all: boolean;
  /** Of this part alone; none means all. */
  readonly files: readonly string[];
  readonly excluded: readonly string[];
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs vitest, its output going straight to ours. */
export async function runVitest(run: VitestRun): Promise<readonly FileOutcome[]> {
  const report = join(run.folder, `${run.name}.json`);
  const args = [
    inCheckout('node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    run.part,
    '--passWithNoTests',
  ];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  // Two processors carry no more: some machines in each of some racks.
  if (run.part === 'e2e') args.push(`--maxWorkers=${SIDE_BY_SIDE}`, '--maxConcurrency=2');
  // Peers wait for one another much of the time.
  if (run.part === 'interop') args.push(`--maxWorkers=${availableParallelism() + 1}`);
  for (const file of run.excluded) args.push(`--exclude=${file}`);
  args.push(...run.args, ...run.files);
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...run.env, ...(run.all && { [ALL_MARK]: '1' }) },
  });
  const [code] = (await once(child, 'close')) as [number | null];
  const outcomes = await readOutcomes(report);
  if (code === 0 || outcomes.some(({ failures }) => failures.length > 0)) return outcomes;
  // An error outside any test, or vitest itself: nothing that exits badly may count as good.
  const failure = `✗ ${run.part}: vitest ended with code ${code} though no test failed`;
  return [...outcomes, { file: run.part, passed: 0, skipped: 0, failures: [failure], seconds: 0 }];
}
