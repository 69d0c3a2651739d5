import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unusablePath } from '../../server/core/host-file-path.ts';

/** The table that `warmboot-helper apply-files` is tested with, too. */
const TABLE = readFileSync(join(import.meta.dirname, '../fixtures/host-file-paths.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [, verdict = '', path = ''] = /^(taken|refused) (.*)$/.exec(line) ?? [];
    return { verdict, path };
  });

test.each(TABLE)('$path is $verdict', ({ verdict, path }) => {
  expect(unusablePath(path) === null ? 'taken' : 'refused').toBe(verdict);
});

describe('a refusal', () => {
  test.each(['\0', '\n', '\r', '\x1b[2J', '\x7f', '\u2028'])('of a control character: %j', (character) => {
    expect(unusablePath(`etc/a${character}b`)).toContain('other characters');
  });

  test.each(TABLE.filter(({ verdict }) => verdict === 'refused'))(
    'of $path is one sentence or two',
    ({ path }) => {
      const sentence = unusablePath(path) ?? '';
      expect(sentence).toMatch(/^[A-Z].*\.$/s);
      expect(sentence.length).toBeLessThan(300);
    },
  );

  test('of what cloud-init would not read', () => {
    expect(unusablePath('seed/userdata')).toContain('user-data, meta-data, vendor-data, network-config');
    expect(unusablePath('seed/user-data/x')).not.toBeNull();
    expect(unusablePath('seed')).not.toBeNull();
  });

  test('shows a part of what is long', () => {
    expect(unusablePath('x'.repeat(100_000))?.length).toBeLessThan(300);
  });
});
