import { expect, test } from 'vitest';
import { Results } from './results.ts';

const outcome = (file: string, seconds: number, failures: readonly string[] = []) => ({
  file,
  passed: 2,
  skipped: 1,
  failures,
  seconds,
});

test('a good run: the slowest files, what was skipped, and the counts last', () => {
  const results = new Results();
  results.addCheck('types');
  results.add(outcome('fast', 0.2), outcome('slow', 12.4), outcome('slower', 30));
  expect(results.isGood).toBe(true);
  expect(results.summary([])).toBe(
    'slowest files:\n  30 s  slower\n  12 s  slow\n3 skipped\n7 passed, 0 failed',
  );
});

test('a bad run says what failed, what did not run, and which programs are missing', () => {
  const results = new Results();
  results.addCheck('lint', 'line 3');
  results.add(outcome('one', 2, ['✗ one > a test']));
  results.note('not run, though the change touches it: two');
  expect(results.isGood).toBe(false);
  expect(results.summary(['busybox']).split('\n').slice(2)).toEqual([
    'not run, though the change touches it: two',
    'failed:',
    '✗ lint: line 3',
    '✗ one > a test',
    'programs that could not be started: busybox',
    '1 skipped',
    '2 passed, 2 failed',
  ]);
});

test('a run in which nothing passed is not good', () => {
  expect(new Results().isGood).toBe(false);
});
