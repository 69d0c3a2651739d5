import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { contextLookup } from '../../../../server/build/accept/selinux/context-lookup.ts';
import { parseAliases, parseFileContexts } from '../../../../server/build/accept/selinux/file-contexts.ts';
import type { NodeType } from '../../../../server/filesystems/node.ts';

const read = (name: string) => readFileSync(`test/fixtures/selinux/${name}`, 'latin1');
const specs = ['', '.homedirs', '.local'].flatMap(
  (suffix) => parseFileContexts(read(`file_contexts${suffix}`), suffix).specs,
);
const lookup = contextLookup({
  specs,
  aliases: parseAliases(read('file_contexts.subs')),
  distributionAliases: parseAliases(read('file_contexts.subs_dist')),
});
const expected = read('expected.txt')
  .trim()
  .split('\n')
  .map((line) => line.split(' ') as [NodeType, string, string]);

test('there are answers to compare with', () => {
  expect(expected.length).toBeGreaterThan(50);
});

test.each(expected)('%s %s is labelled as libselinux does: %s', (type, path, context) => {
  expect(lookup(path, type) ?? '<<none>>').toBe(context);
});

test('of two lines that fit the last one counts, of two for the same path too', () => {
  const { specs: two } = parseFileContexts(
    '/a.* x:first\n/a.* x:second\n/ab x:third\n/ab -- x:fourth\n',
    'f',
  );
  const find = contextLookup({ specs: two, aliases: [], distributionAliases: [] });
  expect(find('/ac', 'file')).toBe('x:second');
  expect(find('/ab', 'file')).toBe('x:fourth');
  expect(find('/ab', 'directory')).toBe('x:third');
  expect(find('/b', 'file')).toBeNull();
});

test('of two aliases that fit the last one counts', () => {
  const aliases = parseAliases('/run /var/run\n\n# words\n/run/lock /var/lock\n');
  const all = parseFileContexts('/var/run/.* x:run\n/var/lock/.* x:lock\n', 'f').specs;
  const find = contextLookup({ specs: all, aliases: [], distributionAliases: aliases });
  expect(find('/run/lock/a', 'file')).toBe('x:lock');
  expect(find('/run/locks', 'file')).toBe('x:run');
});

test('of six thousand lines a path is held only against those that begin as it does', () => {
  const lines = Array.from({ length: 6000 }, (_, i) => `/usr/share/p${i % 97}/f${i}[0-9]*(/.*)?\tx:t${i}\n`);
  let tried = 0;
  const counted = parseFileContexts(lines.join(''), 'f').specs.map((spec) => ({
    ...spec,
    regex: {
      test(path: string) {
        tried += 1;
        return spec.regex.test(path);
      },
    } as RegExp,
  }));
  const find = contextLookup({ specs: counted, aliases: [], distributionAliases: [] });
  for (let i = 0; i < 100_000; i += 1) find(`/usr/share/p${i % 97}/f${i % 6000}7/file${i}`, 'file');
  expect(tried).toBeLessThan(400_000);
});
