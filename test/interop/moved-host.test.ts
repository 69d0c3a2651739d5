import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { placePartitions, sfdiskScript } from '../../server/core/disk-layout.ts';
import { diskGuid, diskNames, partitionIds, tableIds } from '../../server/core/partition-guid.ts';
import { runsAll } from '../all.ts';
import { GRUB } from './grub-disk.ts';
import { type Answer, powerOn } from './grub-machine.ts';
import { hostScripts, kernelModules, runKernel } from './user-mode-linux.ts';

/**
 * A host that an order has moved to another disk, while the one it had stays in the machine and is what the firmware starts. The real
 * installer's steps on two disks, with the real filesystems; then the real GRUB in the real firmware.
 */
const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
const MIB = 2 ** 20;
let folder = '';
let lib = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-moved-'));
  lib = await hostScripts(folder);
  mkdirSync(join(lib, 'grub'));
  await execa('sh', [join(GRUB, 'make.sh'), join(lib, 'grub')]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DISK_BYTES = 100 * MIB;
const DISKS = ['ubda', 'ubdb'] as const;
type Table = 'gpt' | 'msdos';

/** A person who has the menu shown, and chooses the entry above the last one. */
function staysHere(): Answer {
  const steps = [
    { after: 'does not find the disk', types: '\u001b' },
    { after: 'from now on', types: '\u001b[A\r' },
  ];
  let seen = '';
  return (said) => {
    seen += said;
    const [step] = steps;
    if (step === undefined || !seen.includes(step.after)) return '';
    steps.shift();
    return step.types;
  };
}

/** The server's table for each install; it names those before that came to nothing. */
function writeLayouts(table: Table, installs: readonly string[]): void {
  const disk = { bytes: DISK_BYTES, sectorBytes: 512 } as const;
  const sizes = { bootBytes: 64 * MIB, stateBytes: 16 * MIB, slots: 2, slotBytes: MIB };
  const layout = { name: 'x', table, ...sizes, data: false } as const;
  mkdirSync(join(folder, 'layouts'), { recursive: true });
  const earlier: string[] = [];
  for (const install of installs) {
    const [attempt = '', , , more] = install.split('/');
    const guid = diskGuid('host', attempt, sha256Hex);
    const placed = placePartitions(layout, disk, ['a', 'b'], partitionIds(table, guid, sha256Hex));
    if (!('partitions' in placed)) throw new Error('too small');
    const names = diskNames(layout, guid, sha256Hex);
    writeFileSync(
      join(folder, 'layouts', attempt),
      sfdiskScript(table, names, disk, placed.partitions, earlier),
    );
    if (more === 'cut') earlier.push(...tableIds(guid, sha256Hex));
  }
}

describe.each(['gpt', 'msdos'] as const)('%s', (table) => {
  const files = () => DISKS.map((name) => join(folder, name));
  beforeEach(() => {
    for (const file of files()) {
      writeFileSync(file, '');
      truncateSync(file, DISK_BYTES);
    }
  });

  /** @param installs as moved-machine.sh has them */
  const machine = (...installs: readonly string[]) => {
    writeLayouts(table, installs);
    const environment = {
      LIB: lib,
      KERNEL_MODULES: kernelModules(),
      LAYOUTS: join(folder, 'layouts'),
      INSTALLS: installs.join(' '),
    };
    const init = 'test/interop/moved-machine.sh';
    return runKernel({ folder, init, environment, disks: files() }, /the job is done/);
  };
  /** What is started where the firmware begins with the first of these disks. */
  const starts = (firmware: 'bios' | 'uefi', which = files(), answer: Answer = () => '') =>
    powerOn(mkdtempSync(join(folder, 'on-')), which, firmware, { answer });
  /** What does not depend on the table is tried with one of them. */
  const whole = table === 'gpt' || runsAll();
  const one = table === 'gpt' ? 'uefi' : 'bios';

  test('the disk it had leads to the one it has, and starts nothing where that is gone', async () => {
    const said = await machine('one/ubda/a/older', 'two/ubdb/b');
    expect(said).toMatch(
      /install on ubda: \nthe host's disk: ubda\ninstall on ubdb: \nthe host's disk: ubdb\n/,
    );
    expect(said).toContain('disk ubda, which this host had before, leads to its new one');
    expect(said).toMatch(/starts ubda: nothing\nthe installer starts ubdb: slot b/);
    expect(await starts('bios')).toBe('boots slot b');
    expect(await starts('uefi')).toBe('boots slot b');
    const old = files().slice(0, 1);
    expect(await starts(one, old)).toBe('finds no slot that can be booted');
    expect(await starts('bios', old, staysHere())).toBe('boots slot a');
    // From then on, also where the other is back.
    expect(await starts(one)).toBe('boots slot a');
  });

  test.runIf(whole)('until the new disk has its slot, it leads to the old one', async () => {
    await machine('one/ubda/a', 'two/ubdb/b/cut');
    expect(await starts(one, files().toReversed())).toBe('boots slot a');
  });

  test('what an install has begun, and moved on from, leads there too', async () => {
    const said = await machine('one/ubda/a/cut', 'two/ubdb/b');
    expect(said).toMatch(/install on ubda: the power goes\n[\s\S]*install on ubdb: \n/);
    expect(await starts(one)).toBe('boots slot b');
  });

  test.runIf(whole)('and back: the last disk counts', async () => {
    const said = await machine('one/ubda/b', 'two/ubdb/b', 'three/ubda/a');
    expect(said).toMatch(/starts ubda: slot a\nthe installer starts ubdb: nothing/);
    expect(await starts(one, files().toReversed())).toBe('boots slot a');
  });

  test.runIf(whole)('another host’s disk stays as it is', async () => {
    const said = await machine('one/ubda/a/other', 'two/ubdb/b');
    expect(said).toMatch(/starts ubda: slot a\nthe installer starts ubdb: slot b/);
    expect(said).not.toContain('leads to');
  });
});
