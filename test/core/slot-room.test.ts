import { expect, test } from 'vitest';
import { requireRoom } from '../../server/core/slot-room.ts';

const layouts = new Map([
  ['small', { name: 'small', slotBytes: 10 }],
  ['large', { name: 'large', slotBytes: 20 }],
]);
const small = { name: 'small', slotBytes: 10 };

test('what fits is taken, to the last byte', () => {
  expect(() => requireRoom('os', 10, small, layouts)).not.toThrow();
});

test('what does not fit is refused with both sizes and a layout that would do', () => {
  expect(() => requireRoom('os:1', 11, small, layouts)).toThrow(
    'The filesystem of os:1 has 11 bytes, a slot of layout "small" has 10. Take a layout with larger slots (large), or build the image smaller.',
  );
  expect(() => requireRoom('os:1', 21, small, layouts)).toThrow(
    /No layout here has slots of that size: write one/,
  );
});
