import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runsAll } from '../all.ts';
import { type Effort, type Judged, judgeRecord } from '../power-cut/judge-record.ts';
import { PAYLOAD } from '../power-cut/payload.ts';
import { type Mutation, makePrograms, record } from '../power-cut/record.ts';

/**
 * The order of writes (docs/disk-layout.md). The real installer and the real agent work on a disk that records every write and every
 * flush: an install, a stage and a switch by kexec, a stage over what was valid and a switch through the firmware, a power-on, a way back by
 * hand. Then the power is cut at each write of the record, and what is left is judged by GRUB's rules; and GRUB itself is started from it.
 */

const MINUTES = 60_000;
let folder: string;
let programs: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-power-cut-'));
  programs = await makePrograms(mkdtempSync(join(folder, 'programs-')));
}, 2 * MINUTES);
afterAll(() => rmSync(folder, { recursive: true }));

async function cutEverywhere(
  mutations: readonly Mutation[],
  effort: Effort,
): Promise<Judged & { readonly said: string }> {
  const { log, said } = await record(mkdtempSync(join(folder, 'run-')), programs, mutations);
  const judging = mkdtempSync(join(folder, 'judged-'));
  return { said, ...(await judgeRecord(log, judging, join(programs, PAYLOAD), effort)) };
}

const QUICK: Effort = {
  samples: 6,
  outOfOrderEvery: 7,
  stateEvery: 30,
  boots: { every: 40, uefiEvery: 20, toTheEnd: false },
};
const ALL: Effort = { samples: 40, stateEvery: 1, boots: { every: 1, uefiEvery: 10, toTheEnd: true } };

test(
  'whenever the power is cut, the old slot is booted with its own bytes, or the new one, whole and proved',
  async () => {
    const { said, wrong, marks, starts, cuts, boots } = await cutEverywhere([], runsAll() ? ALL : QUICK);
    expect(said).toContain('ended: all orders were carried out');
    expect(marks).toEqual([
      ...['starts installer', 'leaves by kexec', 'starts agent a', 'healthy a'],
      ...['leaves by kexec', 'starts agent b', 'healthy b'],
      ...['leaves by reboot', 'starts installer', 'leaves by kexec', 'starts agent a', 'healthy a'],
      ...['starts installer', 'leaves by kexec', 'starts agent a', 'healthy a'],
      ...[
        'back to b',
        'leaves by reboot',
        'starts installer',
        'leaves by kexec',
        'starts agent b',
        'healthy b',
      ],
      'end all orders were carried out',
    ]);
    expect(Object.fromEntries(wrong)).toEqual({});
    // All ends that there may be were seen.
    expect(Object.keys(starts).sort()).toEqual(['a', 'a on trial', 'b', 'null']);
    expect(cuts).toBeGreaterThan(1500);
    expect(boots.kinds).toBeGreaterThan(6);
    expect(boots.powerOns).toBeGreaterThan(runsAll() ? 200 : 15);
  },
  25 * MINUTES,
);

const inFile = (file: string, from: string | RegExp, to: string): Mutation => ({
  file,
  change: (text) => text.replace(from, to),
});

/** Each rule broken on purpose. */
const BROKEN: readonly { what: string; how: readonly Mutation[]; noticed: RegExp }[] = [
  {
    what: 'the slot is written before it is marked invalid',
    how: [inFile('stage.sh', 'boot_writable && slot_mark_invalid "$M_SLOT" && boot_readonly', 'true')],
    noticed: /has other bytes than its image/,
  },
  {
    what: 'the disk is not told to empty its cache',
    how: [inFile('slots.sh', 'mount -o remount,ro "$BOOT" && boot_flush', 'mount -o remount,ro "$BOOT"')],
    noticed: /has other bytes than its image/,
  },
  {
    what: 'valid before the sync',
    how: [inFile('slots.sh', 'boot_readonly && boot_writable', ':')],
    noticed: /is valid/,
  },
  {
    what: 'boot files and valid before the bytes are checked',
    how: [
      inFile('stage.sh', /^ {2}flash_slot .*\n/m, ''),
      inFile('stage.sh', /^( {2}slot_mark_valid .*\n)/m, '$1  flash_slot "$1" "$DISK"\n'),
    ],
    noticed: /has other bytes than its image/,
  },
  {
    what: 'grubenv is cut to nothing and written anew',
    how: [inFile('slots.sh', 'grubenv_set() {\n', 'grubenv_set() {\n  : > "$BOOT/grub/grubenv"\n')],
    noticed: /grubenv cannot be read/,
  },
  {
    what: 'the default is moved at the switch',
    how: [
      inFile(
        'switch.sh',
        /boot_writable && (slot_change_command_line)/,
        // Without its tries GRUB would pass over it, and the way back be named anew: each guards alone against this fault.
        'boot_writable && grubenv_set "default=$M_SLOT" "tries_$M_SLOT=3" && $1',
      ),
    ],
    noticed: /slot [ab] is booted, which has proved nothing/,
  },
  {
    what: 'a valid slot’s record is replaced',
    how: [
      inFile(
        'slots.sh',
        /^ {2}echo "MODIFIED='1'" >> (.*) && boot_sync$/m,
        `  { cat $1; echo "MODIFIED='1'"; } | put $1 && boot_sync`,
      ),
    ],
    noticed: /clusters of \/warmboot\/a\/valid are free/,
  },
];

describe.runIf(runsAll()).each(BROKEN)('broken on purpose: $what', ({ how, noticed }) => {
  test(
    'is noticed',
    async () => {
      const { wrong } = await cutEverywhere(how, { samples: 20, stateEvery: 1000 });
      expect([...wrong.keys()].filter((each) => noticed.test(each))).not.toEqual([]);
    },
    10 * MINUTES,
  );
});
