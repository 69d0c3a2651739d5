import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { hasStarted } from '../../lab/child.ts';
import { shellScripts } from '../runner/shell-scripts.ts';
import { SHELLS } from './shell.ts';

const scripts = await shellScripts('images');

test('every script for hosts is found', () => {
  expect(scripts.length).toBeGreaterThan(20);
});

test('shellcheck has nothing to say about the scripts for hosts', async () => {
  const args = ['-x', '-s', 'sh', ...scripts];
  const { stdout } = hasStarted('shellcheck', await execa('shellcheck', args, { reject: false }));
  expect(stdout).toBe('');
}, 120_000);

/** `:` is a special builtin: a redirection of it that fails ends the shell (POSIX.1-2017, XCU 2.8.1), and no `||` is come to. */
test('none of them makes a file by the command that would end it where that cannot be made', async () => {
  for (const script of scripts)
    expect(await readFile(script, 'utf8'), script).not.toMatch(/(^|[\s;{(&|]): *\d*>/m);
});

test.each(SHELLS)('%s can read every one of them', async (...shell) => {
  const [program = 'sh', ...options] = shell;
  for (const script of scripts) await execa(program, [...options, '-n', script]);
});
