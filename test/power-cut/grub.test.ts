import { describe, expect, test } from 'vitest';
import { BOOT_RULES } from '../host/boot-rules.ts';
import { afterGrub, grubChoice, parseGrubenv } from './grub.ts';

/** As grub-editenv writes it. */
function block(variables: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(variables).map(([key, value]) => `${key}=${value}\n`);
  return Buffer.from(`# GRUB Environment Block\n${lines.join('')}`.padEnd(1024, '#'));
}

describe.each(BOOT_RULES)('$when', ({ valid, grubenv, boots, after = {} }) => {
  test('the model chooses as GRUB', () => {
    const { trial, slot } = grubChoice(valid, grubenv && parseGrubenv(block(grubenv)));
    expect(trial ? `${trial} trial` : slot).toBe(boots);
  });
  test('and leaves the same environment', () => {
    const left = afterGrub(valid, grubenv && parseGrubenv(block(grubenv)));
    for (const [key, value] of Object.entries(after))
      expect([key, left?.get(key) ?? '']).toEqual([key, value]);
  });
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['zeros', Buffer.alloc(1024)],
  ['other text', Buffer.from('a power cut left this')],
])('%s is no environment', (_what, content) => expect(parseGrubenv(content)).toBeNull());
