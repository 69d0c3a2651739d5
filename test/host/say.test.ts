import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

describe.each(SHELLS)('in %s', (...shell) => {
  test('a line is said on the console and kept in the log', () => {
    host.run(shell, 'say "one  two" three');
    expect(readFileSync(host.path('console'), 'utf8')).toBe('warmboot: one  two three\n');
    expect(readFileSync(host.path('run/log'), 'utf8')).toBe('warmboot: one  two three\n');
  });

  test('a console that cannot be written stops nothing', () => {
    expect(host.run(shell, 'WB_CONSOLE=/nowhere/console; say hello; echo on').out).toBe('on');
  });

  test('a console that was told to stop holds nobody up', () => {
    // Nobody reads from it, so who opens it to write waits.
    execFileSync('mkfifo', [host.path('stopped')]);
    expect(host.run(shell, 'WB_CONSOLE=$T/stopped; say hello; echo on').out).toBe('on');
    expect(readFileSync(host.path('run/log'), 'utf8')).toBe('warmboot: hello\n');
  });

  test('jitter stays in its range and moves', () => {
    const values = host
      .run(shell, 'i=0; while [ $i -lt 40 ]; do jitter 3; i=$((i + 1)); done')
      .out.split('\n')
      .map(Number);
    expect(values).toHaveLength(40);
    expect(values.every((value) => value >= 0 && value <= 3)).toBe(true);
    expect(new Set(values).size).toBeGreaterThan(1);
  });

  test('delays grow to their cap', () => {
    expect(host.run(shell, 'longer 1 10; longer 8 10; longer 10 10').out).toBe('2\n10\n10');
  });

  test.each([
    ['warmboot.slot', 'a'],
    ['warmboot.attempt', 'att-1'],
    ['warmboot.trial', 'none'],
    ['slot', 'none'],
  ])('the command line says %s is %s', (name, value) => {
    expect(host.run(shell, `cmdline_value ${name} || echo none`).out).toBe(value);
  });

  test('a log tail is no longer than a report may carry', () => {
    host.write('run/log', `${'x'.repeat(20_000)}end`);
    host.run(shell, 'log_tail "$T/tail"');
    const tail = readFileSync(host.path('tail'), 'utf8');
    expect(tail.length).toBeLessThanOrEqual(8192);
    expect(tail.endsWith('end')).toBe(true);
  });
});
