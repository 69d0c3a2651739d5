import { execa } from 'execa';
import { inCheckout } from '../../lab/paths.ts';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import { runChecks } from './checks.ts';
import { planE2e } from './images.ts';
import { fitInto, LONG_FILES, type LongFile, longFilesFor } from './long-files.ts';
import type { Part, RunOptions } from './options.ts';
import { Results } from './results.ts';
import { say } from './say.ts';
import { runVitest } from './vitest.ts';

/** A run with --changed begins no long file that would end later than this. */
const CHANGED_LIMIT_S = 60 * 60;

/**
 * One run of the tests: the inner half, in namespaces of its own (see run.ts). Unit and interop tests run in turn; e2e tests run
 * beside them, since virtual machines wait for much of their time.
 */
class Run {
  readonly results = new Results();
  readonly #options: RunOptions;
  readonly #folder: string;

  constructor(options: RunOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
  }

  async default(): Promise<void> {
    const { parts } = this.#options;
    const inTurn = async () => {
      for (const part of parts) if (part !== 'e2e') await this.#part(part);
    };
    await Promise.all([inTurn(), parts.includes('e2e') ? this.#part('e2e') : undefined]);
  }

  async #part(part: Part): Promise<void> {
    const { all, files, vitest } = this.#options;
    if (part === 'unit' && files.length === 0 && vitest.length === 0) await runChecks(this.results);
    const whole = LONG_FILES.filter(({ what }) => what === 'whole').map(({ file }) => file);
    // A long file that is named runs in full: that is all there is to it.
    const namesLong = files.length > 0 && files.every((name) => whole.some((file) => file.includes(name)));
    const excluded = all || files.length > 0 ? [] : whole;
    await this.#vitest(part, part, { all: all || namesLong, files, excluded });
  }

  async #vitest(
    part: Part,
    name: string,
    { all, files, excluded }: { all: boolean; files: readonly string[]; excluded: readonly string[] },
  ): Promise<void> {
    let env = {};
    if (part === 'e2e') {
      try {
        env = { WARMBOOT_E2E: JSON.stringify(await planE2e(this.#folder, all)) };
      } catch (error) {
        this.results.addCheck('images for the e2e tests', (error as Error).message);
        return;
      }
    }
    say(`\n== ${name}`);
    const args = this.#options.vitest;
    const given = { part, name, folder: this.#folder, all, files, excluded, args, env };
    this.results.add(...(await runVitest(given)));
  }

  /** The long files that the change since then touches, as far as they fit into the time. */
  async changed(since: string): Promise<void> {
    const { parts } = this.#options;
    const wanted = longFilesFor(await changedFiles(since)).filter(({ file }) => parts.includes(partOf(file)));
    const { run, left } = fitInto(wanted, CHANGED_LIMIT_S - process.uptime());
    say(
      `\n${wanted.length} long test files are touched by the change since ${since}; ${run.length} fit into the time`,
    );
    for (const part of parts) {
      const files = run.map(({ file }) => file).filter((file) => partOf(file) === part);
      if (files.length > 0) await this.#vitest(part, `${part}-long`, { all: true, files, excluded: [] });
    }
    for (const { file } of left) this.results.note(`not run, though the change touches it: ${file}`);
  }
}

function partOf(file: LongFile['file']): Part {
  return /^test\/(interop|e2e)\//.exec(file)?.[1] === undefined ? 'unit' : (file.split('/')[1] as Part);
}

/** Committed since then or not, and new files. */
async function changedFiles(since: string): Promise<readonly string[]> {
  const git = (...args: string[]) => execa('git', args, { cwd: inCheckout('.') });
  const changed = await git('diff', '--name-only', since);
  const added = await git('ls-files', '--others', '--exclude-standard');
  return [changed.stdout, added.stdout].flatMap((text) => text.split('\n')).filter((path) => path !== '');
}

const [options, folder] = [process.argv[2] ?? '', process.argv[3] ?? ''];
const given = JSON.parse(options) as RunOptions;
process.chdir(inCheckout('.'));
const run = new Run(given, folder);
await run.default();
if (given.changedSince !== null) await run.changed(given.changedSince);
say(`\n${run.results.summary(missingPrograms(run.results.failures))}`);
process.exitCode = run.results.isGood ? 0 : 1;
