import { expect, test } from 'vitest';
import { recipeOf } from '../../server/build/recipe.ts';
import { roomNote } from '../../server/build/room-note.ts';

const GIB = 1024 ** 3;
const os = (sizeBytes: number) => recipeOf(null, 'x', { sizeBytes });

test('an image that no slot here holds is built with a note', () => {
  expect(roomNote('x', os(2 * GIB), 2 * GIB)).toBeNull();
  expect(roomNote('x', os(2.5 * GIB), 2 * GIB)).toBe(
    'note: the filesystem of x has 2.5 GiB, and no disk layout here has slots of that size (the largest: 2 GiB). Add a layout to images/disks, or build it with a smaller "size".',
  );
  expect(roomNote('x', { kind: 'installer', append: '' }, 0)).toBeNull();
});
