import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shellText } from '../../server/core/shell-text.ts';
import { HOSTILE } from '../fixtures/hostile-texts.ts';

/** The shells of this machine that an installer or an agent may meet. */
const SHELLS = [['/bin/sh'], ['/usr/bin/dash'], ['/bin/bash', '--posix'], ['/bin/busybox', 'sh']].filter(
  ([program = '']) => existsSync(program),
);

/** Sources the text in a real shell and gives the values it has then. */
function sourced(
  [program = '', ...args]: readonly string[],
  text: string,
  keys: readonly string[],
): string[] {
  const script = `${text}\n${keys.map((key) => `printf '%s\\0' "$${key}"`).join('\n')}\n`;
  const out = execFileSync(program, [...args, '-s'], { input: script, encoding: 'utf8', env: {} });
  return out.split('\0').slice(0, -1);
}

test('keys are joined and written in capitals, null is empty', () => {
  const text = shellText({
    version: 1,
    bootDefault: null,
    image: { name: 'x', bytesTotal: 2, is: { deep: true } },
  });
  expect(text).toBe(
    "VERSION='1'\nBOOT_DEFAULT=''\nIMAGE_NAME='x'\nIMAGE_BYTES_TOTAL='2'\nIMAGE_IS_DEEP='true'\n",
  );
});

test.each(SHELLS)('%s reads every hostile text as it is', (...shell) => {
  const record = Object.fromEntries(HOSTILE.map((text, index) => [`k${index}`, text]));
  expect(
    sourced(
      shell,
      shellText(record),
      HOSTILE.map((_, index) => `K${index}`),
    ),
  ).toEqual(HOSTILE);
});

test('what would end the line is a blank', () => {
  expect(shellText({ a: 'one\ntwo\r\nthree\0four' })).toBe("A='one two three four'\n");
});

test('what a console would obey is a blank, a tab is one', () => {
  const text = 'a\x1b[2Jb\x1b]52;c;eA==\x07c\x9b2Jd\u202ee\u2028f\tg\x7f';
  expect(shellText({ a: text })).toBe("A='a [2Jb ]52;c;eA== c 2Jd e f\tg '\n");
});

test('no text leaves its quotes', () => {
  const printable = fc.string({ unit: 'grapheme', maxLength: 30 });
  fc.assert(
    fc.property(fc.array(printable, { minLength: 30, maxLength: 30 }), (texts) => {
      const record = Object.fromEntries(texts.map((text, index) => [`k${index}`, text]));
      const shown = texts.map((text) =>
        text.replaceAll(/[^\P{Cc}\t]+|[\p{Bidi_Control}\u2028\u2029]+/gu, ' '),
      );
      expect(
        sourced(
          ['/bin/sh'],
          shellText(record),
          texts.map((_, index) => `K${index}`),
        ),
      ).toEqual(shown);
    }),
    { numRuns: 15 },
  );
});
