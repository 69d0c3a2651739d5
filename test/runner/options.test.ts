import { expect, test } from 'vitest';
import { PARTS, parseOptions } from './options.ts';

const NOTHING = { parts: PARTS, all: false, changedSince: null, files: [], vitest: [] };

test.each([
  ['', {}],
  ['unit', { parts: ['unit'] }],
  ['e2e unit', { parts: ['unit', 'e2e'] }],
  ['--all', { all: true }],
  ['interop --all', { parts: ['interop'], all: true }],
  ['--changed', { changedSince: 'HEAD' }],
  ['--changed v0.1', { changedSince: 'v0.1' }],
  ['--changed=HEAD~3', { changedSince: 'HEAD~3' }],
  ['--changed unit', { parts: ['unit'], changedSince: 'HEAD' }],
  ['test/cli/help.test.ts', { parts: ['unit'], files: ['test/cli/help.test.ts'] }],
  ['./test/e2e/way-back', { parts: ['e2e'], files: ['./test/e2e/way-back'] }],
  [
    'test/run.test.ts test/interop/tftp.test.ts',
    { parts: ['unit', 'interop'], files: ['test/run.test.ts', 'test/interop/tftp.test.ts'] },
  ],
  ['tftp', { files: ['tftp'] }],
  [
    'unit tftp -t window --bail=1',
    { parts: ['unit'], files: ['tftp'], vitest: ['-t', 'window', '--bail=1'] },
  ],
])('test %s', (words, expected) => {
  expect(parseOptions(words.split(' ').filter(Boolean))).toEqual({ ...NOTHING, ...expected });
});

test.each([
  ['--all --changed', /one of the two/],
  ['--changed main tftp', /leave the file names out/],
])('test %s is refused', (words, why) => {
  expect(() => parseOptions(words.split(' '))).toThrow(why);
});
