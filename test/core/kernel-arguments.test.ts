import { expect, test } from 'vitest';
import { joinArguments, unsafeCharacter } from '../../server/core/kernel-arguments.ts';

test.each([
  "'",
  '"',
  ';',
  '$',
  '`',
  '\\',
  '&',
  '|',
  '\n',
  '(',
  '{',
  '<',
  '#',
  '!',
  '*',
  '~',
  '\t',
  'ü',
  '\0',
])('%j may not stand on a command line', (character) => {
  expect(unsafeCharacter(`console=tty0 a${character}b`)).toBe(character);
});
test('what consoles, disks and modules need may', () => {
  expect(unsafeCharacter('console=ttyS0,115200n8 root=PARTUUID=0a-1b ip=10.0.0.1:x@y+z%20 a_b/c')).toBeNull();
  expect(unsafeCharacter('')).toBeNull();
});
test('parts are joined by one space each', () => {
  expect(joinArguments(' a  b', '', 'c ', ' ')).toBe('a b c');
});
