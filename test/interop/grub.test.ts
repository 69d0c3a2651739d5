import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BOOT_RULES, type BootRule } from '../host/boot-rules.ts';
import { BOOT_LBA, GRUB, makeGrubDisk, SECTOR } from './grub-disk.ts';
import { type Answer, powerOn } from './grub-machine.ts';

/** The real GRUB of our disks, in the real firmware of a virtual machine, against the table that the installer obeys too. */

let work: string;
let loader: string;

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'warmboot-grub-'));
  loader = join(work, 'loader');
  mkdirSync(loader);
  await execa('sh', [join(GRUB, 'make.sh'), loader]);
});
afterAll(() => rmSync(work, { recursive: true }));

test('grub.cfg is a GRUB script', async () => {
  await execa('grub-script-check', [join(GRUB, 'grub.cfg')]);
});

// All at once: a machine that boots leaves room for others.
test.concurrent.each(BOOT_RULES)('BIOS: $when', (rule) => holds(rule, 'bios'));

test.concurrent('UEFI starts the same loader from the same disk', () =>
  holds(BOOT_RULES[0] as BootRule, 'uefi'));

/** As a terminal echoes that shows control characters (ECHOCTL of termios(3)), such as one with a login on it. */
const shown = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these it is about
  text.replace(/[\u0000-\u001f]/g, (letter) => `^${String.fromCharCode(letter.charCodeAt(0) + 64)}`);

test.concurrent.each([
  ['a login at its other end', shown],
  ['somebody who types', () => 'v\r\nc x'],
])('a serial line with %s does not stop it', (_, answer) => holds(BOOT_RULES[0] as BootRule, 'bios', answer));

test.concurrent.each([
  ['', { default: 'c' }, ['c', 'b', 'a']],
  [', the one on trial first', { default: 'c', next: 'a' }, ['a trial', 'c', 'b']],
])(
  'where no kernel can be loaded slots that proved themselves come before one that was only staged%s',
  async (_, more, slots) => {
    const folder = mkdtempSync(join(work, 'disk-'));
    const grubenv = { tries_a: '0', tries_b: '2', tries_c: '3', ...more };
    const disk = await makeDisk(folder, { when: '', valid: ['a', 'b', 'c'], grubenv, boots: 'c' });
    const said = [...slots.map((slot) => `boots slot ${slot}`), 'finds no slot that can be booted'];
    expect(await powerOn(folder, [disk], 'bios', { count: said.length })).toBe(said.join(', '));
  },
);

async function holds(rule: BootRule, firmware: 'bios' | 'uefi', answer: Answer = () => ''): Promise<void> {
  const folder = mkdtempSync(join(work, 'disk-'));
  const disk = await makeDisk(folder, rule);
  const said = await powerOn(folder, [disk], firmware, { answer });
  expect(said).toBe(rule.boots === null ? 'finds no slot that can be booted' : `boots slot ${rule.boots}`);
  if (!rule.after) return;
  await execa('mcopy', [
    '-n',
    '-o',
    '-i',
    `${disk}@@${BOOT_LBA * SECTOR}`,
    '::/grub/grubenv',
    join(folder, 'after'),
  ]);
  const { stdout } = await execa('grub-editenv', [join(folder, 'after'), 'list']);
  const after = new Map(stdout.split('\n').map((line) => line.split('=') as [string, string]));
  for (const [key, value] of Object.entries(rule.after))
    expect([key, after.get(key) ?? '']).toEqual([key, value]);
}

/** Slots whose kernels are none: GRUB's choice is what matters. */
function makeDisk(folder: string, { valid, grubenv }: BootRule): Promise<string> {
  const slot = {
    vmlinuz: 'none',
    'initrd.img': 'none',
    'slot.cfg': "set slot_append='x'\nset slot_trial='y'\n",
  };
  return makeGrubDisk(folder, loader, { valid, grubenv, files: () => slot });
}
