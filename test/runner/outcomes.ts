import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { inCheckout } from '../../lab/paths.ts';

/** What became of one test file. */
export interface FileOutcome {
  /** In the checkout. */
  readonly file: string;
  readonly passed: number;
  readonly skipped: number;
  /** Each with its test's name and the first lines of why. */
  readonly failures: readonly string[];
  readonly seconds: number;
}

/** Of one failure: the message of a VM test says what was seen last. */
const LINES_OF_FAILURE = 60;

/** What is read of a file that vitest's reporter `json` wrote. */
interface JsonReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

/** By file; none if vitest wrote no report. */
export async function readOutcomes(path: string): Promise<FileOutcome[]> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text === undefined ? [] : (JSON.parse(text) as JsonReport).testResults.map(outcomeOf);
}

function outcomeOf({
  name,
  status,
  message,
  startTime,
  endTime,
  assertionResults,
}: JsonReport['testResults'][number]): FileOutcome {
  const file = relative(inCheckout('.'), name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  const passed = assertionResults.filter((test) => test.status === 'passed').length;
  const failures = failed.map(
    ({ fullName, failureMessages }) =>
      `✗ ${file} > ${fullName}\n${firstLines(failureMessages?.join('\n') ?? '')}`,
  );
  // A file that does not load, or whose hooks fail, is a failure though no test in it is one.
  if (status === 'failed' && failed.length === 0) failures.push(`✗ ${file}\n${firstLines(message)}`);
  return {
    file,
    passed,
    skipped: assertionResults.length - passed - failed.length,
    failures,
    seconds: (endTime - startTime) / 1000,
  };
}

/** Without the runner's own places, which tell nobody anything. */
export function firstLines(text: string): string {
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
