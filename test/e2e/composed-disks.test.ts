import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { diskMachineArguments, sectorsOf } from '../../lab/disk-machine.ts';
import { findOvmf } from '../../lab/firmware.ts';
import { probeAccelerator } from '../../lab/kvm.ts';
import { startLoopback } from '../../lab/network.ts';
import { inCheckout } from '../../lab/paths.ts';
import { plainText } from '../../lab/tail.ts';
import { until } from '../../lab/wait.ts';
import { image, plan } from './support.ts';

/**
 * Disks made by `./warmboot disk`, started on machines that have never seen a server. A covering set: each release, filesystem,
 * firmware, table and sector size is in it, and those that could hinder each other are in it together.
 */
const CASES = [
  { a: 'debian-13', b: 'debian-12', firmware: 'uefi', layout: 'two-slots', sector: 512 },
  { a: 'debian-12:xfs', b: 'debian-13', firmware: 'bios', layout: 'two-slots-msdos', sector: 512 },
  { a: 'debian-11', b: 'debian-12', firmware: 'bios', layout: 'two-slots', sector: 512 },
  { a: 'debian-13:xfs', b: 'debian-11', firmware: 'uefi', layout: 'two-slots-msdos', sector: 4096 },
] as const;

let folder: string;
// `disk` starts a server of its own on loopback.
beforeAll(startLoopback);
beforeEach(async () => {
  folder = join(plan().folder, 'composed');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
});
// A disk is gigabytes; the console's log stays where it is looked for after a failure.
afterEach(() => rm(join(folder, 'disk.img'), { force: true }));

/** Both slots, by the checkers of their filesystems. */
async function check(disk: string, ...names: readonly string[]): Promise<void> {
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
    const range = [`skip=${(start * unit) / 2 ** 20}`, `count=${(size * unit) / 2 ** 20}`];
    await execa('dd', [`if=${disk}`, `of=${slot}`, 'bs=1M', 'conv=sparse', ...range]);
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

test.each(CASES)('$a by $firmware from $layout, sectors of $sector', async (given) => {
  const disk = join(folder, 'disk.img');
  const { digest } = image(given.a);
  const slots = ['--slot', `a=${digest}`, '--slot', `b=${image(given.b).digest}`];
  const how = ['--sector', String(given.sector), '--seed', given.a, '-o', disk];
  await execa(inCheckout('warmboot'), ['--data', plan().data, 'disk', given.layout, ...slots, ...how]);
  expect(await sectorsOf(disk)).toBe(given.sector);
  await check(disk, given.a, given.b);

  const accelerator = await probeAccelerator();
  const ovmf = given.firmware === 'uefi' ? findOvmf() : null;
  const variables = join(folder, 'variables');
  if (ovmf) await copyFile(ovmf.variables, variables);
  const serial = join(folder, 'serial.log');
  const machine = {
    disk,
    sectorBytes: given.sector,
    memoryMiB: 1024,
    snapshot: true,
    ovmf: ovmf && { code: ovmf.code, variables },
    serial: `file:${serial}`,
  };
  const qemu = spawn('qemu-system-x86_64', diskMachineArguments(machine, accelerator), { stdio: 'ignore' });
  try {
    const seen = (what: string, pattern: RegExp) =>
      until(
        async () => {
          if (qemu.exitCode !== null) throw new Error(`the machine ended before ${what}`);
          const text = await readFile(serial, 'utf8').catch(() => '');
          return (
            text
              .split('\n')
              .map(plainText)
              .some((line) => pattern.test(line)) || undefined
          );
        },
        { what: `${given.a}: ${what}`, timeoutMs: 120_000 * accelerator.slowness, everyMs: 500 },
      );
    await seen('GRUB takes slot a', /warmboot: grub boots slot a/);
    await seen('the agent finds its slot', new RegExp(`warmboot: booted slot a ${digest}, without a server`));
    await seen('a login prompt', /login:/);
  } finally {
    const closed = once(qemu, 'close');
    qemu.kill('SIGKILL');
    await closed;
  }
});
