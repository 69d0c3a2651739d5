import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, statfs } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { buildImage } from '../lab/build.ts';
import { runInNamespaces } from '../lab/namespace.ts';
import { inCheckout } from '../lab/paths.ts';
import type { BuiltImage } from '../lab/story.ts';
import { keepFolder, makeWorkFolder, removeFolder } from '../lab/work-folder.ts';
import { ALL_MARK, runsAll } from './all.ts';
import { E2E_IMAGES, type E2ePlan, e2eVariants } from './e2e/plan.ts';
import { shellScripts } from './shell-scripts.ts';

/**
 * `./warmboot test [unit|interop|e2e] [--all] [vitest arguments]`: all tests, or one part; `--all` with the long tail that
 * some tests have (a night, not a coffee). The last line is `N passed, N failed`, where
 * a check of the code as a whole (types, lint, unused code, shell scripts) counts like a test. Exit code 0 only if something
 * passed and nothing failed.
 */

interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** Of one failure: the message of a VM test says what was seen last. */
const LINES_OF_FAILURE = 60;

/** What the e2e tests' images and disks take at most, measured and rounded up. */
const ROOM_GIB = { usual: 20, all: 50 };

const PARTS = ['unit', 'interop', 'e2e'] as const;
type Part = (typeof PARTS)[number];

const total: Count = { passed: 0, failed: 0, skipped: 0 };
/** What failed, said once more at the end: of a long run often only that is kept. */
const failures: string[] = [];
const vitestFile = inCheckout('node_modules/vitest/vitest.mjs');

process.chdir(inCheckout('.'));
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const wanted = PARTS.filter((part) => args.includes(part));
  const rest = args.filter((word) => word !== '--all' && !(PARTS as readonly string[]).includes(word));
  if (args.includes('--all')) process.env[ALL_MARK] = '1';
  const folder = await makeWorkFolder('test');
  for (const part of wanted.length > 0 ? wanted : PARTS) await runPart(part, folder, rest);
  if (total.failed === 0) await removeFolder(folder);
  else say(`logs of the failed run: ${await keepFolder(folder)}`);
  for (const failure of failures) say(failure);
  if (total.skipped > 0) say(`${total.skipped} skipped`);
  say(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

async function runPart(part: Part, folder: string, rest: readonly string[]): Promise<void> {
  say(`\n== ${part}`);
  if (part === 'unit' && rest.length === 0) await checks();
  if (part !== 'e2e') {
    await vitest(part, join(folder, `${part}.json`), rest, (args) => run(process.execPath, args));
    return;
  }
  const plan = await planE2e(folder);
  if (plan === undefined) return;
  await vitest(part, join(folder, 'e2e.json'), rest, (args) =>
    runInNamespaces(args, { graceful: false, env: { WARMBOOT_E2E: JSON.stringify(plan) } }),
  );
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
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const take = (text: Buffer) => {
    output += text;
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const failure = await Promise.race([
    once(child, 'close').then(([code]) => (code === 0 ? undefined : `ended with code ${code}`)),
    once(child, 'error').then(([error]) => (error as Error).message),
  ]);
  if (failure === undefined) {
    total.passed += 1;
    say(` ✓ ${name}`);
    return;
  }
  total.failed += 1;
  say(` ✗ ${name}: ${failure}\n${output}`);
  failures.push(`✗ ${name}: ${failure}\n${firstLines(output)}`);
}

/** Without the runner's own places, which tell nobody anything. */
function firstLines(text: string): string {
  const lines = stripVTControlCharacters(text)
    // What vitest's report has of a test that ran out of its time.
    .replace('STACK_TRACE_ERROR', 'ran out of its time')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.includes('node_modules/'));
  return lines
    .slice(0, LINES_OF_FAILURE)
    .map((line) => `    ${line.slice(0, 200)}`)
    .join('\n');
}

// --- vitest ---

type Runner = (args: readonly string[]) => Promise<number>;

async function vitest(part: Part, report: string, rest: readonly string[], runner: Runner): Promise<void> {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await runner([
    vitestFile,
    'run',
    '--project',
    part,
    '--passWithNoTests',
    // Each rack has the same addresses, and two processors carry one rack well; in it some machines at once.
    ...(part === 'e2e' ? ['--no-file-parallelism', '--maxConcurrency=3'] : []),
    ...reporters,
    ...rest,
  ]);
  const count = await readCount(report);
  if (code !== 0 && count.failed === 0) {
    // An error outside any test, or vitest itself: nothing that exits badly may count as good.
    const what = `✗ ${part}: vitest ended with code ${code} though no test failed`;
    say(` ${what}`);
    failures.push(what);
    count.failed = 1;
  }
  total.passed += count.passed;
  total.failed += count.failed;
  total.skipped += count.skipped;
}

interface JsonReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

async function readCount(path: string): Promise<Count> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 0, skipped: 0 };
  const report = JSON.parse(text) as JsonReport;
  // A file that does not load, or whose hooks fail, is a failure though no test in it is one.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  for (const { name, message } of broken) failures.push(`✗ ${fileOf(name)}\n${firstLines(message)}`);
  for (const { name, assertionResults } of report.testResults)
    for (const { status, fullName, failureMessages } of assertionResults)
      if (status === 'failed')
        failures.push(`✗ ${fileOf(name)} > ${fullName}\n${firstLines(failureMessages?.join('\n') ?? '')}`);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests,
  };
}

function fileOf(path: string): string {
  return relative(inCheckout('.'), path);
}

// --- e2e ---

/** Images are built outside the namespaces, where Docker and the network are. */
async function planE2e(folder: string): Promise<E2ePlan | undefined> {
  const data = inCheckout('.cache/lab');
  await mkdir(data, { recursive: true });
  try {
    await needRoom(folder);
    const images: BuiltImage[] = [];
    const { signal } = new AbortController();
    for (const name of E2E_IMAGES) images.push(await buildImage(name, data, signal));
    for (const { name, of, options } of e2eVariants())
      images.push({ ...(await buildImage(of, data, signal, options)), name });
    return { folder, data, images };
  } catch (error) {
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

async function run(command: string, args: readonly string[]): Promise<number> {
  const [code] = (await once(spawn(command, args, { stdio: 'inherit' }), 'close')) as [number | null];
  return code ?? 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
