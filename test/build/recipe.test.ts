import { expect, test } from 'vitest';
import { recipeOf } from '../../server/build/recipe.ts';

const json = (value: object) => JSON.stringify(value);
const OS = json({ kind: 'os', filesystem: { type: 'xfs', size: '1GiB' }, append: 'quiet', agent: true });

test('without image.json it is an OS that speaks on screen and serial line', () => {
  expect(recipeOf(null, 'x')).toEqual({
    kind: 'os',
    filesystem: { type: 'ext4', size: 2 * 1024 ** 3 },
    append: 'console=tty0 console=ttyS0,115200n8',
    agent: false,
  });
});

test('what the order says comes before image.json, one by one', () => {
  expect(recipeOf(OS, 'x', { sizeBytes: 1024 ** 4 })).toMatchObject({
    filesystem: { type: 'xfs', size: 1024 ** 4 },
    append: 'quiet',
    agent: true,
  });
  expect(recipeOf(OS, 'x', { filesystem: 'ext4', append: '', addAgent: false })).toMatchObject({
    filesystem: { type: 'ext4', size: 1024 ** 3 },
    append: '',
    agent: false,
  });
  expect(recipeOf(json({ kind: 'installer', append: 'a' }), 'x', { append: 'b' })).toEqual({
    kind: 'installer',
    append: 'b',
  });
});

test.each([
  [
    '{"kind":"tool"}',
    { append: 'x' },
    'x is of kind "tool" (image.json), which has no use for kernel arguments',
  ],
  ['{"kind":"tool"}', { sizeBytes: 1 }, 'no use for a filesystem, a size or the agent'],
  ['{"kind":"installer"}', { addAgent: true }, 'no use for'],
  [OS, { sizeBytes: 32 * 1024 ** 2 }, 'a filesystem of type xfs has between 64MiB and 16TiB'],
  ['{"kind":"os","colour":1}', {}, 'image.json of x is not valid'],
])('%s with %j is refused', (text, overrides, sentence) => {
  expect(() => recipeOf(text, 'x', overrides)).toThrow(sentence);
});
