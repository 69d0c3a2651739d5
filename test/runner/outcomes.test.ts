import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { readOutcomes } from './outcomes.ts';

/** A report as vitest writes it, of one file. */
function reportOf(file: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-outcomes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'unit.json');
  writeFileSync(
    path,
    JSON.stringify({
      testResults: [{ message: '', assertionResults: [], startTime: 1000, endTime: 3500, ...file }],
    }),
  );
  return path;
}

const name = inCheckout('test/some.test.ts');
const ran = (status: string, failureMessages: string[] | null = null) => ({
  fullName: `one that ${status}`,
  status,
  failureMessages,
});

test('passed, failed and skipped tests of a file are counted, and a failure says why', async () => {
  const assertionResults = [
    ran('passed', []),
    ran('failed', [
      '\u001b[31mExpected 1\u001b[39m\n\n    at node_modules/vitest/x.mjs:1:1\n    at test/some.test.ts:3:1',
    ]),
    ran('skipped'),
    ran('todo'),
  ];
  expect(await readOutcomes(reportOf({ name, status: 'failed', assertionResults }))).toEqual([
    {
      file: 'test/some.test.ts',
      passed: 1,
      skipped: 2,
      seconds: 2.5,
      failures: ['✗ test/some.test.ts > one that failed\n    Expected 1\n        at test/some.test.ts:3:1'],
    },
  ]);
});

test('a file that does not load is a failure, though it has no test', async () => {
  expect(await readOutcomes(reportOf({ name, status: 'failed', message: 'no such module' }))).toEqual([
    {
      file: 'test/some.test.ts',
      passed: 0,
      skipped: 0,
      seconds: 2.5,
      failures: ['✗ test/some.test.ts\n    no such module'],
    },
  ]);
});

test('a report that was not written has no outcomes', async () => {
  expect(await readOutcomes(join(tmpdir(), 'warmboot-outcomes-of-nothing.json'))).toEqual([]);
});
