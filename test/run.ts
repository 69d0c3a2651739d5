import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { buildImage } from '../lab/build.ts';
import { stopRequest } from '../lab/namespace.ts';
import { inCheckout } from '../lab/paths.ts';
import type { BuiltImage } from '../lab/story.ts';
import { keepFolder, makeWorkFolder, removeFolder } from '../lab/work-folder.ts';
import { ALL_MARK, runsAll } from './all.ts';
import { LANES, makeLanes } from './e2e/lanes.ts';
import { E2E_IMAGES, type E2ePlan, e2eVariants } from './e2e/plan.ts';
import { type FileOutcome, firstLines, readOutcomes, secondDecides } from './outcomes.ts';
import { shellScripts } from './shell-scripts.ts';

/**
 * `./warmboot test [unit|interop|e2e] [--all] [vitest arguments]`: all tests, or one part; `--all` with the long tail that
 * some tests have (a night, not a coffee). The last line is `N passed, N failed`, where
 * a check of the code as a whole (types, lint, unused code, shell scripts) counts like a test. Exit code 0 only if something
 * passed and nothing failed; of a few files that failed in a whole part, their second run counts.
 */

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * A whole part lasts for minutes to an hour on machines that do other things too. When no more files than these failed in it, they are
 * run once more by themselves, and that decides; what failed first is told all the same.
 */
const MOST_TRIED_AGAIN = 2;

/** Stands for the file of what failed outside any. */
const OUTSIDE_FILES = '';

/** What the e2e tests' images and disks take at most, measured and rounded up. */
const ROOM_GIB = { usual: 20, all: 50 };

const ENDED_BY_SIGNAL = 130;

const PARTS = ['unit', 'interop', 'e2e'] as const;
type Part = (typeof PARTS)[number];

const total: Count = { passed: 0, failed: 0, skipped: 0 };
/** What failed, said once more at the end: of a long run often only that is kept. */
const failures: string[] = [];
/** What failed at first, of the files that were run once more. */
const unsteady: string[] = [];
const vitestFile = inCheckout('node_modules/vitest/vitest.mjs');

process.chdir(inCheckout('.'));
const stopping = stopRequest();
process.exitCode = await main(process.argv.slice(2)).catch((error) => {
  if (!stopping.aborted) throw error;
  say((stopping.reason as Error).message);
  return ENDED_BY_SIGNAL;
});

async function main(args: readonly string[]): Promise<number> {
  const wanted = PARTS.filter((part) => args.includes(part));
  const rest = args.filter((word) => word !== '--all' && !(PARTS as readonly string[]).includes(word));
  if (args.includes('--all')) process.env[ALL_MARK] = '1';
  const folder = await makeWorkFolder('test');
  for (const part of wanted.length > 0 ? wanted : PARTS) await runPart(part, folder, rest);
  if (total.failed === 0) await removeFolder(folder);
  else say(`logs of the failed run: ${await keepFolder(folder)}`);
  if (unsteady.length > 0) say(`failed at first, and run once more:\n${unsteady.join('\n')}`);
  if (failures.length > 0) say('failed:');
  for (const failure of failures) say(failure);
  if (total.skipped > 0) say(`${total.skipped} skipped`);
  say(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function runPart(part: Part, folder: string, rest: readonly string[]): Promise<void> {
  say(`\n== ${part}`);
  if (part === 'unit' && rest.length === 0) await checks();
  if (part !== 'e2e') {
    await vitest(part, folder, rest, (args) => run(args));
    return;
  }
  const plan = await planE2e(folder);
  if (plan === undefined) return;
  await vitest(part, folder, rest, async (args, work) => {
    await makeLanes(work, plan.data);
    return run(args, { WARMBOOT_E2E: JSON.stringify({ ...plan, folder: work } satisfies E2ePlan) });
  });
}

// --- checks of the code as a whole ---

async function checks(): Promise<void> {
  const bin = (name: string) => inCheckout(`node_modules/.bin/${name}`);
  await check('types (tsc)', bin('tsc'), ['--noEmit']);
  await check('types of what browsers run (tsc)', bin('tsc'), ['-p', 'server/web/client']);
  await check('lint and format (biome)', bin('biome'), ['check', '.']);
  await check('unused code (knip)', bin('knip'), []);
  await check('shell scripts (shellcheck)', 'shellcheck', ['-x', ...(await shellScripts(inCheckout('.')))]);
}

/** One check, counted as one test; what it says is shown only when it fails. */
async function check(name: string, command: string, args: readonly string[]): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], signal: stopping });
  let output = '';
  const take = (text: Buffer) => {
    output += text;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  let failure: string | undefined;
  try {
    const [code] = await once(child, 'close');
    if (code !== 0) failure = `ended with code ${code}`;
  } catch (error) {
    stopping.throwIfAborted();
    failure = (error as Error).message;
  }
  if (failure === undefined) {
    total.passed += 1;
    say(` ✓ ${name}`);
    return;
  }
  total.failed += 1;
  say(` ✗ ${name}: ${failure}\n${output}`);
  failures.push(`✗ ${name}: ${failure}\n${firstLines(output)}`);
}

// --- vitest ---

/** Runs vitest; what its tests leave behind goes to that folder. */
type Runner = (args: readonly string[], folder: string) => Promise<number>;

async function vitest(part: Part, folder: string, rest: readonly string[], runner: Runner): Promise<void> {
  let outcomes = await runVitest(part, folder, rest, runner);
  const failed = outcomes.filter(({ failures }) => failures.length > 0);
  if (rest.length === 0 && mayBeUnsteady(failed)) {
    const files = failed.map(({ file }) => file);
    say(`\n== ${part}, by themselves: ${files.join(', ')}`);
    const again = join(folder, 'again');
    await mkdir(again, { recursive: true });
    const second = await runVitest(part, again, files, runner);
    outcomes = secondDecides(outcomes, second);
    for (const { failures } of failed) unsteady.push(...failures);
  }
  for (const { passed, skipped, failures: why } of outcomes) {
    total.passed += passed;
    total.skipped += skipped;
    total.failed += why.length;
    failures.push(...why);
  }
}

function mayBeUnsteady(failed: readonly FileOutcome[]): boolean {
  return (
    failed.length > 0 &&
    failed.length <= MOST_TRIED_AGAIN &&
    failed.every(({ file }) => file !== OUTSIDE_FILES)
  );
}

async function runVitest(
  part: Part,
  folder: string,
  rest: readonly string[],
  runner: Runner,
): Promise<FileOutcome[]> {
  const report = join(folder, `${part}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = [
    vitestFile,
    'run',
    '--project',
    part,
    '--passWithNoTests',
    // Two processors carry no more: some machines in each of some racks.
    ...(part === 'e2e' ? [`--maxWorkers=${LANES}`, '--maxConcurrency=2'] : []),
    ...reporters,
    ...rest,
  ];
  const code = await runner(args, folder);
  const outcomes = await readOutcomes(report);
  if (code !== 0 && outcomes.every(({ failures }) => failures.length === 0)) {
    // An error outside any test, or vitest itself: nothing that exits badly may count as good.
    const what = `✗ ${part}: vitest ended with code ${code} though no test failed`;
    say(` ${what}`);
    outcomes.push({ file: OUTSIDE_FILES, passed: 0, skipped: 0, failures: [what] });
  }
  return outcomes;
}

// --- e2e ---

/** Images are built outside the namespaces, where Docker and the network are. */
async function planE2e(folder: string): Promise<E2ePlan | undefined> {
  const data = inCheckout('.cache/lab');
  await mkdir(data, { recursive: true });
  try {
    await needRoom(folder);
    const images: BuiltImage[] = [];
    for (const name of E2E_IMAGES) images.push(await buildImage(name, data, stopping));
    for (const { name, of, options } of e2eVariants())
      images.push({ ...(await buildImage(of, data, stopping, options)), name });
    return { folder, data, images };
  } catch (error) {
    stopping.throwIfAborted();
    total.failed += 1;
    const what = `✗ images for the e2e tests: ${(error as Error).message}`;
    say(` ${what}`);
    failures.push(what);
    return undefined;
  }
}

/** A machine whose disk file finds no room stands still: better said before than found out by hours of waiting. */
async function needRoom(folder: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeGib = (bavail * bsize) / 2 ** 30;
  const neededGib = runsAll() ? ROOM_GIB.all : ROOM_GIB.usual;
  if (freeGib < neededGib)
    throw new Error(
      `${folder} has room for ${freeGib.toFixed(1)} GiB, and their disks grow to ${neededGib}. Make room there, or run them where there is some.`,
    );
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const child = spawn(process.execPath, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
    signal: stopping,
    // Asked to end, vitest would see its running tests through. Killed, it takes along what it started.
    killSignal: 'SIGKILL',
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
