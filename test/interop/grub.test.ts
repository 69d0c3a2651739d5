import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BOOT_RULES, type BootRule } from '../host/boot-rules.ts';

/** The real GRUB of our disks, in the real firmware of a virtual machine, against the table that the installer obeys too. */
const GRUB = fileURLToPath(new URL('../../images/installer/grub', import.meta.url));
const OVMF = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const OVMF_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';
const SECTOR = 512;
const CORE_LBA = 2048;
const BOOT_LBA = 4096;
const BOOT_KIB = 65_536;

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

describe.each(BOOT_RULES)('$when', (rule) => {
  test('BIOS', () => holds(rule, 'bios'));
});

test(
  'UEFI starts the same loader from the same disk',
  () => holds(BOOT_RULES[0] as BootRule, 'uefi'),
  90_000,
);

async function holds(rule: BootRule, firmware: 'bios' | 'uefi'): Promise<void> {
  const folder = mkdtempSync(join(work, 'disk-'));
  const disk = await makeDisk(folder, rule);
  const said = await powerOn(folder, disk, firmware);
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

/** A disk with GRUB where the installer puts it, and slots whose kernels are none: GRUB's choice is what matters. */
async function makeDisk(folder: string, { valid, grubenv }: BootRule): Promise<string> {
  const disk = join(folder, 'disk.img');
  const tree = join(folder, 'tree');
  for (const name of ['EFI/BOOT', 'grub', 'warmboot']) mkdirSync(join(tree, name), { recursive: true });
  cpSync(join(loader, 'BOOTX64.EFI'), join(tree, 'EFI/BOOT/BOOTX64.EFI'));
  cpSync(join(loader, 'grub.cfg'), join(tree, 'grub/grub.cfg'));
  if (grubenv) {
    await execa('grub-editenv', [join(tree, 'grub/grubenv'), 'create']);
    const pairs = Object.entries(grubenv).map(([key, value]) => `${key}=${value}`);
    await execa('grub-editenv', [join(tree, 'grub/grubenv'), 'set', ...pairs]);
  } else writeFileSync(join(tree, 'grub/grubenv'), 'a power cut left this');
  for (const slot of valid) {
    mkdirSync(join(tree, 'warmboot', slot));
    const files = {
      valid: '',
      vmlinuz: 'none',
      'initrd.img': 'none',
      'slot.cfg': "set slot_append='x'\nset slot_trial='y'\n",
    };
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(tree, 'warmboot', slot, name), content);
  }

  writeFileSync(disk, '');
  await execa('truncate', ['-s', '80M', disk]);
  const table = `label: gpt
start=${CORE_LBA}, size=${BOOT_LBA - CORE_LBA}, type=21686148-6449-6E6F-744E-656564454649, name=warmboot-bios
start=${BOOT_LBA}, size=${(BOOT_KIB * 1024) / SECTOR}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=warmboot-boot\n`;
  await execa('sfdisk', ['-q', disk], { input: table });
  const write = (file: string, lba: number, size: string) =>
    execa('dd', [
      `if=${join(loader, file)}`,
      `of=${disk}`,
      'bs=1',
      ...size.split(' '),
      `seek=${lba * SECTOR}`,
      'conv=notrunc',
    ]);
  await write('boot-gpt.img', 0, 'count=440');
  await execa('dd', [
    `if=${join(loader, 'core-gpt.img')}`,
    `of=${disk}`,
    `bs=${SECTOR}`,
    `seek=${CORE_LBA}`,
    'conv=notrunc',
  ]);
  await execa('mkfs.vfat', [
    '-F',
    '32',
    '-n',
    'WARMBOOT',
    '--offset',
    String(BOOT_LBA),
    disk,
    String(BOOT_KIB),
  ]);
  await execa(
    'mcopy',
    [
      '-s',
      '-i',
      `${disk}@@${BOOT_LBA * SECTOR}`,
      ...['EFI', 'grub', 'warmboot'].map((name) => join(tree, name)),
      '::/',
    ],
    {
      env: { MTOOLS_SKIP_CHECK: '1' },
    },
  );
  return disk;
}

/** What GRUB says first on the serial port about its choice. The machine is cut off then: what was saved is saved. */
async function powerOn(folder: string, disk: string, firmware: 'bios' | 'uefi'): Promise<string> {
  const serial = join(folder, 'serial');
  const variables = join(folder, 'variables');
  if (firmware === 'uefi') cpSync(OVMF_VARIABLES, variables);
  const flash = (file: string, mode: string) => ['-drive', `if=pflash,format=raw,file=${file}${mode}`];
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...[
        '-accel',
        'tcg',
        '-m',
        '256',
        '-display',
        'none',
        '-nic',
        'none',
        '-no-reboot',
        '-serial',
        `file:${serial}`,
      ],
      ...['-drive', `if=none,id=disk,format=raw,file=${disk}`, '-device', 'virtio-blk-pci,drive=disk'],
      ...(firmware === 'uefi' ? [...flash(OVMF, ',readonly=on'), ...flash(variables, '')] : []),
    ],
    { stdio: 'ignore' },
  );
  try {
    for (;;) {
      const text = existsSync(serial) ? readFileSync(serial, 'latin1') : '';
      // Only whole lines, without what moves the cursor.
      const line =
        /warmboot: grub ((?:boots slot [a-h](?: trial)?|finds no slot that can be booted))(?:,| *[^a-z ])/.exec(
          text,
        )?.[1];
      if (line) return line;
      if (qemu.exitCode !== null) throw new Error(`The machine ended: ${text.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } finally {
    qemu.kill('SIGKILL');
  }
}
