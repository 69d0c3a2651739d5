import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { beforeAll, expect, test } from 'vitest';
import { diskMachineArguments, sectorsOf } from '../../lab/disk-machine.ts';
import { findOvmf } from '../../lab/firmware.ts';
import { probeAccelerator } from '../../lab/kvm.ts';
import { startLoopback } from '../../lab/network.ts';
import { inCheckout } from '../../lab/paths.ts';
import { plainText } from '../../lab/tail.ts';
import { until } from '../../lab/wait.ts';
import { runsAll } from '../all.ts';
import { copyData } from './data-copy.ts';
import { takeOut } from './sparse.ts';
import { image, plan } from './support.ts';

/**
 * Disks made by `./warmboot disk`, started on machines that have never seen a server. A covering set: each filesystem, firmware, table
 * and sector size is in it, and those that could hinder each other are in it together.
 */
interface Given {
  readonly a: string;
  readonly b: string;
  readonly firmware: 'uefi' | 'bios';
  readonly layout: string;
  readonly sector: 512 | 4096;
}

const CASES: readonly Given[] = [
  { a: 'debian-11', b: 'debian-12', firmware: 'bios', layout: 'two-slots', sector: 512 },
  { a: 'debian-13:xfs', b: 'debian-11', firmware: 'uefi', layout: 'two-slots-msdos', sector: 4096 },
];

const LONG_TAIL: readonly Given[] = [
  { a: 'debian-13', b: 'debian-12', firmware: 'uefi', layout: 'two-slots', sector: 512 },
  { a: 'debian-12:xfs', b: 'debian-13', firmware: 'bios', layout: 'two-slots-msdos', sector: 512 },
];

// `disk` starts a server of its own on loopback.
/** Of the server that each `disk` starts. */
let data: string;

beforeAll(async () => {
  await startLoopback();
  data = await copyData(plan().data, join(plan().folder, 'composed'));
});

/** Both slots, by the checkers of their filesystems. */
async function check(folder: string, disk: string, ...names: readonly string[]): Promise<void> {
  const { stdout } = await execa('/sbin/sfdisk', ['-J', disk]);
  const { sectorsize, partitions } = (JSON.parse(stdout) as Sfdisk).partitiontable;
  // sfdisk takes a file for a disk of 512-byte sectors; the table of one with 4096 is in those all the same.
  const unit = (await sectorsOf(disk)) === 4096 && sectorsize === 512 ? 4096 : sectorsize;
  // Slots are the largest.
  const slots = partitions.filter(({ size }) => size === Math.max(...partitions.map((each) => each.size)));
  expect(slots.length).toBe(names.length);
  for (const [i, name] of names.entries()) {
    const slot = join(folder, 'slot.img');
    const { start = 0, size = 0 } = slots[i] ?? {};
    await takeOut(disk, start * unit, size * unit, slot);
    const checker = name.endsWith(':xfs') ? ['xfs_repair', '-n'] : ['e2fsck', '-fn'];
    await execa(`/sbin/${checker[0]}`, [checker[1] ?? '', slot]);
    await rm(slot);
  }
}

interface Sfdisk {
  readonly partitiontable: {
    readonly sectorsize: number;
    readonly partitions: readonly { readonly start: number; readonly size: number }[];
  };
}

/** A folder with the disk in it, made and checked by others' programs. */
async function compose(given: Given): Promise<string> {
  const folder = join(plan().folder, `composed-${given.a.replace(':', '-')}-${given.firmware}`);
  await mkdir(folder);
  const disk = join(folder, 'disk.img');
  const slots = ['--slot', `a=${image(given.a).digest}`, '--slot', `b=${image(given.b).digest}`];
  const how = ['--sector', String(given.sector), '--seed', given.a, '-o', disk];
  await execa(inCheckout('warmboot'), ['--data', data, 'disk', given.layout, ...slots, ...how]);
  expect(await sectorsOf(disk)).toBe(given.sector);
  await check(folder, disk, given.a, given.b);
  return folder;
}

/** Each `disk` starts a server of its own, and a data folder has one server at a time. */
let composing: Promise<unknown> = Promise.resolve();
function inTurn<T>(make: () => Promise<T>): Promise<T> {
  const made = composing.then(make);
  composing = made.catch(() => {});
  return made;
}

async function boots(folder: string, given: Given): Promise<void> {
  const accelerator = await probeAccelerator();
  const ovmf = given.firmware === 'uefi' ? findOvmf() : null;
  const variables = join(folder, 'variables');
  if (ovmf) await copyFile(ovmf.variables, variables);
  const serial = join(folder, 'serial.log');
  const machine = {
    disk: join(folder, 'disk.img'),
    sectorBytes: given.sector,
    memoryMiB: 1024,
    snapshot: true,
    ovmf: ovmf && { code: ovmf.code, variables },
    serial: `file:${serial}`,
  };
  const qemu = spawn('qemu-system-x86_64', diskMachineArguments(machine, accelerator), { stdio: 'ignore' });
  const says = (pattern: RegExp, what: string) =>
    until(
      async () => {
        if (qemu.exitCode !== null) throw new Error(`the machine ended before ${what}`);
        const lines = (await readFile(serial, 'utf8').catch(() => '')).split('\n').map(plainText);
        return lines.some((line) => pattern.test(line)) || undefined;
      },
      // Two or three machines at once.
      { what: `${given.a}: ${what}`, timeoutMs: 2 * 120_000 * accelerator.slowness, everyMs: 500 },
    );
  try {
    await says(/warmboot: grub boots slot a/, 'GRUB takes slot a');
    const booted = new RegExp(`warmboot: booted slot a ${image(given.a).digest}, without a server`);
    await says(booted, 'the agent finds its slot');
    // No prompt on the serial line where udev was slower than systemd's patience with the device: a busy machine.
    await says(/login:|Reached target .*Multi-User System/, 'the system is up');
  } finally {
    const closed = once(qemu, 'close');
    qemu.kill('SIGKILL');
    await closed;
  }
}

test.concurrent.each(runsAll() ? [...CASES, ...LONG_TAIL] : CASES)(
  '$a by $firmware from $layout, sectors of $sector',
  async (given) => {
    const folder = await inTurn(() => compose(given));
    try {
      await boots(folder, given);
    } finally {
      // A disk is gigabytes; the console's log stays where it is looked for after a failure.
      await rm(join(folder, 'disk.img'));
    }
  },
);
