import { expect, test } from 'vitest';
import { readDockerignore } from '../../server/docker-context/dockerignore.ts';

const kept = (text: string, paths: readonly string[]) => {
  const ignore = readDockerignore(text, '.dockerignore');
  return paths.filter((path) => !ignore.ignores(path));
};

// The examples of Docker's own documentation, and what its matcher does at the edges.
test.each<[string, string, string[], string[]]>([
  [
    'a folder one below the root',
    '*/temp*',
    ['somedir/temporary.txt', 'somedir/temp/x'],
    ['temp', 'a/b/temp'],
  ],
  ['two below', '*/*/temp*', ['somedir/subdir/temporary.txt'], ['somedir/temporary.txt', 'temp']],
  ['one character', 'temp?', ['tempa', 'tempb', 'tempa/x'], ['temp', 'tempab', 'x/tempa']],
  ['any number of folders', '**/*.go', ['a.go', 'x/y/a.go'], ['a.got', 'go']],
  ['a name at any depth', '**/node_modules', ['node_modules', 'a/b/node_modules/x'], ['xnode_modules']],
  ['everything below', 'build/**', ['build/x', 'build/x/y'], ['build', 'builds/x']],
  ['folders between', 'a/**/z', ['a/z', 'a/b/c/z', 'a/b/z/x'], ['a/zz', 'az']],
  ['exceptions', '*.md\n!README.md', ['NOTES.md'], ['README.md', 'docs/NOTES.md']],
  [
    'the last match decides: taken back, then not',
    '*.md\n!README*.md\nREADME-secret.md',
    ['NOTES.md', 'README-secret.md'],
    ['README.md', 'README-x.md'],
  ],
  [
    'the last match decides: all READMEs',
    '*.md\nREADME-secret.md\n!README*.md',
    ['NOTES.md'],
    ['README.md', 'README-secret.md'],
  ],
  ['all but one', '*\n!src\n!package.json', ['a', 'b/c'], ['src', 'src/x/y', 'package.json']],
  ['slashes around it say nothing', '/foo/bar/', ['foo/bar', 'foo/bar/x'], ['x/foo/bar', 'foo']],
  ['dots are tidied up', './a/../b', ['b'], ['a']],
  ['comments, blank lines, a byte order mark, Windows', '\ufeff# x\r\n\r\n  b  \r\n#b', ['b'], ['# x', '#b']],
  ['a class', '[a-c].txt\n[^x]y', ['a.txt', 'ay'], ['d.txt', 'xy']],
  ['what a regular expression would take differently', 'a.b+(c)$', ['a.b+(c)$'], ['aXb+(c)$', 'a.bb(c)$']],
  ['escaped signs', '\\*x\n\\[y', ['*x', '[y'], ['ax', 'y']],
  ['a name that ends so', '**.pyc', ['a.pyc', 'x/a.pyc'], ['a.pyco']],
  ['a file below what is taken back', 'a\n!a/keep', ['a', 'a/x'], ['a/keep', 'a/keep/y']],
  // Odd, but BuildKit's: the folder was left out by "*" already, so its own pattern was never asked.
  ['a folder named after an exception', '*\n!**/n\nx', ['x/y'], ['x/n']],
  ['letters of either case differ', 'Temp', ['Temp'], ['temp']],
])('%s', (_, text, ignored, others) => {
  expect(kept(text, [...ignored, ...others])).toEqual(others);
});

test('an ignored folder is entered when something below it may be taken back', () => {
  const may = (text: string) => readDockerignore(text, 'x').mayKeepBelow('a/b');
  expect(['a', '*\n!c', '!a/c', '!a/bc'].map(may)).toEqual([false, false, false, false]);
  expect(['!a/b', '!a/b/c', '!**/c', '!a/*/c'].map(may)).toEqual([true, true, true, true]);
});

test.each([
  ['!', 'Line 1 of x is a "!" without a pattern'],
  ['a\n[b', 'Line 2 of x is no pattern: "[b"'],
  ['a\\', 'Line 1 of x is no pattern'],
])('%j is refused by its line', (text, sentence) => {
  expect(() => readDockerignore(text, 'x')).toThrow(sentence);
});
