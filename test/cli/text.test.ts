import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clean, cut, json, pad, width } from '../../server/cli/text.ts';

test('colours and cursor moves go; other controls are shown as their code', () => {
  expect(clean('\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain')).toBe('red plain');
  expect(clean('a\x1bcb\x07\x9b31m')).toBe('a\\x1bcb\\x07\\x9b31m');
  expect(clean('one\ntwo\tthree\r\n')).toBe('one two three');
  expect(clean('user\u202egpj.exe')).toBe('user\\u{202e}gpj.exe');
});

test('nothing that a terminal obeys is left, and cleaning twice changes nothing more', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const cleaned = clean(text);
      expect(cleaned).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
      expect(clean(cleaned)).toBe(cleaned.trimEnd());
    }),
  );
});

test('JSON keeps its value and holds no raw controls', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const written = json({ text });
      expect(written.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      expect(JSON.parse(written)).toEqual(JSON.parse(JSON.stringify({ text })));
    }),
  );
});

test('wide characters take two columns, combined ones none', () => {
  expect(width('abc')).toBe(3);
  expect(width('サーバ')).toBe(6);
  expect(width('e\u0301')).toBe(1);
  expect(cut('サーバ', 4)).toBe('サ…');
  expect(pad('サ', 4)).toBe('サ  ');
});

test('a cut text is never wider than asked', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }).map(clean), fc.nat(30), (text, columns) => {
      expect(width(cut(text, columns))).toBeLessThanOrEqual(columns);
    }),
  );
});
