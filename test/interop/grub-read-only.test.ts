import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runsAll } from '../all.ts';
import { DiskState } from '../power-cut/disk-state.ts';
import { type Expected, expectedOf } from '../power-cut/grub-expected.ts';
import { makePayload, PAYLOAD, payloadKernel } from '../power-cut/payload.ts';
import { type Firmware, type Meddling, startDisk } from '../power-cut/real-grub.ts';
import { BOOT_LBA, GRUB, makeGrubDisk, SECTOR } from './grub-disk.ts';

/** GRUB on a disk that is worn out: what it writes fails. By the words that it adds the system's root is not mounted to be written. */

const READ_ONLY = 'ro rootflags=norecovery fsck.mode=skip warmboot.disk=read-only';

let work: string;
let program: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'warmboot-grub-read-only-'));
  program = join(work, PAYLOAD);
  await makePayload(program);
  mkdirSync(join(work, 'loader'));
  await execa('sh', [join(GRUB, 'make.sh'), join(work, 'loader')]);
});
afterAll(() => rmSync(work, { recursive: true }));

type Wear = {
  readonly firmware: Firmware;
  readonly unwritable: (first: Expected) => NonNullable<Meddling['unwritable']>;
  readonly grubenv?: Readonly<Record<string, string>>;
};

/** @returns what GRUB said, and what the model says of the same disk while it is whole */
async function start({ firmware, unwritable, grubenv }: Wear): Promise<{ said: string; whole: string }> {
  const files = (slot: string) => ({
    vmlinuz: payloadKernel(program, slot),
    'initrd.img': `initrd of ${slot}`,
    'slot.cfg': `set slot_append='root=${slot} rw'\nset slot_trial='warmboot.trial=600'\n`,
  });
  const disk = await makeGrubDisk(mkdtempSync(join(work, 'disk-')), join(work, 'loader'), {
    valid: ['a', 'b'],
    grubenv: { default: 'b', tries_a: '3', tries_b: '3', ...grubenv },
    files,
  });
  const first = expectedOf(new DiskState(readFileSync(disk)), BOOT_LBA * SECTOR);
  const said = await startDisk(disk, firmware, { unwritable: unwritable(first) });
  rmSync(disk);
  return { said, whole: first.answer };
}

const all = () => 'all' as const;
const ofEnvironment = ({ written: [place] }: Expected) => (place?.offset ?? 0) / SECTOR;

describe.concurrent.each(['bios', 'uefi'] as const)('%s', (firmware) => {
  test('no sector takes a write: the default, read-only', async () => {
    const { said, whole } = await start({ firmware, unwritable: all });
    expect(said.split('; ')[0]).toBe(`${whole} ${READ_ONLY}`);
    expect(said).toContain('error: failure writing sector');
  });

  // By UEFI a start takes four times as long.
  const isTried = firmware === 'bios' || runsAll();
  test.runIf(isTried)('nor is a trial begun, which could not be cleared', async () => {
    const { said, whole } = await start({ firmware, unwritable: all, grubenv: { next: 'a' } });
    expect(whole).toContain('/warmboot/a/');
    expect(said.split('; ')[0]).toMatch(new RegExp(`/warmboot/b/vmlinuz root=b rw ${READ_ONLY}$`));
  });

  test.runIf(isTried)('only the environment lies on a bad sector: as ever', async () => {
    const { said, whole } = await start({ firmware, unwritable: ofEnvironment });
    expect(said.split('; ')[0]).toBe(whole);
    expect(said).toContain('error: failure writing sector');
  });
});
