import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseMac } from '../../server/core/mac.ts';

test.each(['52:54:00:12:ab:ff', '52-54-00-12-ab-ff', '52:54:00:12:AB:FF', '52-54-00-12-Ab-fF'])(
  '%s',
  (text) => {
    expect(parseMac(text)).toBe('52:54:00:12:ab:ff');
  },
);

test.each([
  '',
  '52:54:00:12:ab',
  '52:54:00:12:ab:ff:00',
  '52:54-00:12:ab:ff',
  '525400 12abff',
  '52540012abff',
  '5254.0012.abff',
  '52:54:00:12:ab:fg',
  '52:54:00:12:ab:ff\n',
  ' 52:54:00:12:ab:ff',
  '52:54:00:12:ab:ff/..',
  '00:00:00:00:00:00',
  'ff:ff:ff:ff:ff:ff',
  '01:00:5e:00:00:01',
])('%j is none', (text) => {
  expect(parseMac(text)).toBeNull();
});

test('what was read is read again as itself, and no text makes it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), fc.constantFrom(':', '-'), (bytes, joint) => {
      const mac = parseMac([...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(joint));
      if (mac !== null) expect(parseMac(mac.toUpperCase())).toBe(mac);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void parseMac(text)));
});
