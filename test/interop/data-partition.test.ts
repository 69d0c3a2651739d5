import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { placePartitions, sfdiskScript } from '../../server/core/disk-layout.ts';
import { hostScripts, runKernel } from './user-mode-linux.ts';

/**
 * Production data on a disk as a kernel sees it, with the real table, partitions, filesystem and checks: made, kept, grown, and made
 * anew after a power cut.
 */
const MIB = 2 ** 20;
let folder = '';
let lib = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-data-'));
  lib = await hostScripts(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Table = 'gpt' | 'msdos';

/** The table that the server gives for a disk of this size. */
function layout(table: Table, bytes: number): string {
  const disk = { bytes, sectorBytes: 512 } as const;
  const sizes = { bootBytes: 64 * MIB, stateBytes: 16 * MIB, slots: 2, slotBytes: MIB };
  const guid = (name: string) =>
    `00000000-0000-8000-8000-${Buffer.from(name.padEnd(6).slice(-6)).toString('hex')}`;
  const placed = placePartitions({ name: 'x', table, ...sizes, data: true }, disk, ['a', 'b'], guid);
  if (!('partitions' in placed)) throw new Error('too small');
  return sfdiskScript(
    table,
    { guid: guid('disk'), signature: '12345678', identity: 'i' },
    disk,
    placed.partitions,
  );
}

/** A machine with a disk of its own. */
function machine(table: Table) {
  const own = mkdtempSync(join(folder, 'machine-'));
  const disk = join(own, 'disk');
  writeFileSync(disk, '');
  let megabytes = 0;
  const resize = (to: number) => {
    megabytes = to;
    truncateSync(disk, to * MIB);
  };
  resize(400);
  /** The machine does that. @returns what it says */
  const run = async (job: 'install' | 'cut' | 'boot'): Promise<string> => {
    const given = join(own, 'layout');
    writeFileSync(given, layout(table, megabytes * MIB));
    const environment = { LIB: lib, LAYOUT: given, JOB: job };
    const init = 'test/interop/data-machine.sh';
    return runKernel({ folder: own, init, environment, disks: [disk] }, /the job is done|the power goes/);
  };
  const seen = () => spawnSync('/sbin/sfdisk', ['-d', disk], { encoding: 'utf8' }).stdout;
  return { disk, resize, run, seen };
}

const sizeIn = (said: string) => Number(/^size: (\d+)$/m.exec(said)?.[1]);

describe.concurrent.each(['gpt', 'msdos'] as const)('%s', (table) => {
  test('made by the install, kept by the next one, and grown to the end of a disk that has grown', async () => {
    const { resize, run } = machine(table);
    expect(await run('install')).toMatch(/made a filesystem in the data partition/);
    const first = await run('boot');
    expect(first).toMatch(/^mount: 0\nsystems: \nsize: \d+\nhealthy: 0\nstray: [^0]/m);

    resize(900);
    expect(await run('install')).toMatch(/reason: \n(?![\s\S]*made a filesystem)/);
    const second = await run('boot');
    expect(second).toMatch(/^systems: one $/m);
    expect(sizeIn(second) - sizeIn(first)).toBeGreaterThan(450);
  });

  test('the power goes while its filesystem is made: no OS takes the partition for data, and the next try makes it', async () => {
    const { disk, run, seen } = machine(table);
    // Of an earlier use of this disk: a filesystem right where the partition will be.
    const start = /start=(\d+), size=\d+, type=(?:da|\S+, .*name=warmboot-data)$/m.exec(
      layout(table, 400 * MIB),
    );
    const offset = `offset=${Number(start?.[1]) * 512}`;
    await execa('/sbin/mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'older', '-E', offset, disk, '100M']);
    await run('cut');
    expect(seen()).toMatch(table === 'gpt' ? /name="warmboot-data-new"/ : /type=d9/);
    expect(await run('boot')).toMatch(/^mount: 0\nthe job is done/m);

    expect(await run('install')).toMatch(/made a filesystem in the data partition/);
    const after = await run('boot');
    expect(after).toMatch(/^systems: \n[\s\S]*^healthy: 0$/m);
    expect(sizeIn(after)).toBeGreaterThan(200);
    expect(seen()).not.toMatch(/warmboot-data-new|type=d9/);
  });
});
