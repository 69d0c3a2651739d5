import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failure } from '../../../server/build/accept/check.ts';
import { verdictOf } from '../../../server/build/accept/verdict.ts';

const failed = (...names: string[]) => names.map((name) => failure(name, 'it is wrong', 'RUN true'));

/** The names in the page on images, which another test holds against the sources. */
const documented = new Set(
  readFileSync('docs/images.md', 'utf8')
    .split('\n')
    .flatMap(
      (row) => /^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| .* \| .* \|$/.exec(row)?.[1]?.match(/[a-z-]+/g) ?? [],
    ),
);

test('an image that nothing is wrong with passed every check there is', () => {
  const { passed } = verdictOf('os', []);
  expect(passed.filter((name) => !documented.has(name))).toEqual([]);
  expect(passed).toEqual(expect.arrayContaining(['kernel', 'curl', 'selinux', 'os-release']));
  expect(new Set(passed).size).toBe(passed.length);
  expect(verdictOf('installer', []).passed).toEqual(['kernel', 'initrd']);
});

test('what failed did not pass', () => {
  const verdict = verdictOf('os', failed('curl', 'fstab'));
  expect(verdict.failed.map(({ check }) => check)).toEqual(['curl', 'fstab']);
  expect(verdict.passed).not.toContain('curl');
  expect(verdict.passed).toContain('kexec');
});

test('what could not be looked at did not pass either', () => {
  const without = (name: string) => verdictOf('os', failed(name)).passed;
  expect(without('kernel').filter((name) => /initrd|modules|kernel/.test(name))).toEqual([]);
  expect(without('kernel')).toContain('init');
  expect(without('initrd')).not.toContain('initrd-disks');
  expect(without('initrd')).toContain('kernel-partitions');
  expect(without('modules')).not.toContain('kernel-partitions');
});
