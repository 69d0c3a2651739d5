import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runsAll } from '../all.ts';
import { DiskState } from '../power-cut/disk-state.ts';
import { type Expected, expectedOf } from '../power-cut/grub-expected.ts';
import { makePayload, PAYLOAD, payloadKernel } from '../power-cut/payload.ts';
import { type Firmware, type Meddling, startDisk } from '../power-cut/real-grub.ts';
import { readWriteLog, type Write } from '../power-cut/write-log.ts';
import { BOOT_LBA, GRUB, makeGrubDisk, SECTOR } from './grub-disk.ts';

/**
 * GRUB itself writes, too: it clears the one-shot and counts. What it writes is recorded, and the power is cut within that; then the
 * machine is started from what is left, with the environment torn, gone, and on a sector that can no longer be read.
 */

let work: string;
let program: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'warmboot-grub-torn-'));
  program = join(work, PAYLOAD);
  await makePayload(program);
  mkdirSync(join(work, 'loader'));
  await execa('sh', [join(GRUB, 'make.sh'), join(work, 'loader')]);
});
afterAll(() => rmSync(work, { recursive: true }));

/** The default is not the first slot, so that it can be told from what a lost environment leads to. */
const STARTS = [
  { what: 'the one-shot is cleared', grubenv: { default: 'b', tries_a: '3', tries_b: '3', next: 'a' } },
  { what: 'a start is counted', grubenv: { default: 'b', tries_a: '3', tries_b: '3' } },
] as const;

const FIRMWARE: readonly Firmware[] = runsAll() ? ['bios', 'uefi'] : ['bios'];
const disks = describe.each(STARTS.flatMap((start) => FIRMWARE.map((firmware) => ({ ...start, firmware }))));

disks('$firmware: $what', ({ grubenv, firmware }) => {
  let before: Buffer;
  let [first, writes]: [Expected | undefined, Write[]] = [undefined, []];

  beforeAll(async () => {
    const folder = mkdtempSync(join(work, 'disk-'));
    const files = (slot: string) => ({
      vmlinuz: payloadKernel(program, slot),
      'initrd.img': `initrd of ${slot}`,
      'slot.cfg': `set slot_append='root=${slot} rw'\nset slot_trial='warmboot.trial=600'\n`,
    });
    const disk = await makeGrubDisk(folder, join(work, 'loader'), { valid: ['a', 'b'], grubenv, files });
    before = readFileSync(disk);
    first = expected(before);
    const log = join(folder, 'log');
    expect(await startDisk(disk, firmware, { log })).toBe(first.answer);
    writes = readWriteLog(readFileSync(log)).filter((entry) => entry !== 'flush');
  });

  test('it writes each sector of the environment once, and no other', () => {
    expect(writes.map(({ sector, data }) => [sector, data.length])).toEqual(
      places(first).map((sector) => [sector, SECTOR]),
    );
    // All variables are in the first: one sector is there or is not.
    expect(writes[1]?.data.toString()).toBe('#'.repeat(SECTOR));
  });

  test.concurrent('a cut leaves the old state or the new one, and the next start is right', async () => {
    expect(expected(before, ...writes.slice(0, 1))).toEqual(expected(before, ...writes));
    expect(expected(before, ...writes.slice(1))).toEqual(first);
    await startsAs(writes[0]);
  });

  test('torn within its sector at any byte, a slot starts that could have started anyway', async () => {
    const [sector = 0] = places(first);
    const [old, now] = [before.subarray(sector * SECTOR, (sector + 1) * SECTOR), writes[0]?.data ?? before];
    const allowed = new Set([first?.answer, expected(before, ...writes).answer]);
    const torn = Array.from({ length: SECTOR + 1 }, (_, at) => [
      Buffer.concat([now.subarray(0, at), old.subarray(at)]),
      Buffer.concat([old.subarray(0, at), now.subarray(at)]),
    ]);
    const kinds = new Map<string, Write>();
    for (const text of new Set(torn.flat().map((data) => data.toString('latin1')))) {
      const write = { sector, data: Buffer.from(text, 'latin1') };
      const { answer, before: seen, after } = expected(before, write);
      expect(allowed).toContain(answer);
      // Whatever number is there, it goes down: a system that hangs is not started for ever.
      expect([after?.get('next') ?? '', after?.get('tries_b')]).toEqual([
        '',
        expect.stringMatching(/^[0-3]$/),
      ]);
      kinds.set(JSON.stringify([answer, seen && [...seen]]), write);
    }
    expect(kinds.size).toBeGreaterThan(1);
    for (const write of runsAll() ? kinds.values() : []) await startsAs(write);
  });

  test.concurrent.each([
    ['zeros', Buffer.alloc(SECTOR)],
    ['ones', Buffer.alloc(SECTOR, 0xff)],
  ])('%s in its place: the first valid slot', async (_what, data) => {
    const [sector = 0] = places(first);
    const lost = expected(before, { sector, data });
    expect(lost).toMatchObject({ before: null, answer: expect.stringContaining('/warmboot/a/') });
    await startsAs({ sector, data }, `${lost.answer}; error: invalid environment block.`);
  });

  test.concurrent('a sector that cannot be read: the first valid slot', async () => {
    const [sector = 0] = places(first);
    const { answer } = expected(before, { sector, data: Buffer.alloc(SECTOR) });
    const error = `error: failure reading sector 0x${sector.toString(16)} from \`hd0'.`;
    await startsAs(undefined, `${answer}; ${error}`, { unreadable: sector });
  });

  /** @param answer the model's, when left out */
  async function startsAs(write?: Write, answer?: string, meddling: Meddling = {}): Promise<void> {
    const disk = Buffer.from(before);
    write?.data.copy(disk, write.sector * SECTOR);
    const file = join(mkdtempSync(join(work, 'disk-')), 'disk.img');
    writeFileSync(file, disk);
    expect(await startDisk(file, firmware, meddling)).toBe(answer ?? expected(disk).answer);
    rmSync(file);
  }
});

function expected(flushed: Buffer, ...writes: readonly Write[]): Expected {
  const disk = new DiskState(flushed);
  for (const write of writes) disk.put(write);
  return expectedOf(disk, BOOT_LBA * SECTOR);
}

/** The sectors of the environment, by the model's reading of the file system. */
function places(of: Expected | undefined): number[] {
  return (of?.written ?? []).flatMap(({ offset, bytes }) =>
    Array.from({ length: bytes / SECTOR }, (_, i) => offset / SECTOR + i),
  );
}
