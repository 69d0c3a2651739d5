import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import twoSlots from '../../images/disks/two-slots.json' with { type: 'json' };
import type { HostView } from '../../lab/feed.ts';
import type { DiskFault } from '../../lab/machine.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { MatrixHost } from './matrix-host.ts';
import { takeOut } from './sparse.ts';
import { plan } from './support.ts';

/**
 * The matrix of broken systems, fourth part: disks, the host's and the server's. What cannot be written ends on the old system, with
 * the reason told; what can be mended by fetching it anew ends on the new one.
 */
let rack: Rack;
let host: MatrixHost;
let data: string;

beforeAll(async () => {
  if (!runsAll()) return;
  // Packs of its own: they are damaged here.
  host = await MatrixHost.restore('broken-disk', { ownPacks: true });
  rack = host.rack;
  data = join(plan().folder, 'broken-disk/data');
});
afterAll(() => rack?.close());

/** Sector of a slot that every image fills: the block behind the superblock of ext4. */
const FILLED = 8;

/** Ends on the old system; and on the new one once the disk is whole again. */
async function failsWhile(fault: DiskFault, reason: RegExp): Promise<void> {
  const [to, runs] = [await host.absentImage(), await host.runningImage()];
  const began = Date.now();
  await host.cutPower({ disk: fault });
  await host.until('a boot', 150, (seen) => (seen.observation?.at ?? 0) > began);
  await host.ends(await host.order({ image: to }), { outcome: 'failed', reason, runs });
  await host.cutPower();
  await host.ends(await host.order({ image: to }), { outcome: 'succeeded', runs: to });
}

/** Safeguard: every write is looked at, and what failed is told with the phase and the reason. */
test.runIf(runsAll())('the slot cannot be written: the old system, and why', async () => {
  const sector = (await host.firstSector(await host.freeSlot())) + FILLED;
  await failsWhile({ fails: 'write', sector }, /(writing|syncing) at offset \d+ of .* failed/);
});

/** Safeguard: GRUB, which cannot count the start, has the root mounted read-only; what is to be told waits in memory. */
test.runIf(runsAll())(
  'the disk takes no writes from power-on: the old system, read-only, and the server says so',
  async () => {
    const [to, runs] = [await host.absentImage(), await host.runningImage()];
    await host.cutPower({ disk: 'read-only' });
    const { observation } = await host.until('a word of its disk', 150, (seen) => isReadOnly(seen));
    expect(observation).toMatchObject({ environment: 'os', trial: false });
    await host.ends(await host.order({ image: to }), { outcome: 'failed', reason: /boot partition/, runs });
    await host.cutPower();
    await host.until('a disk that takes writes', 150, (seen) => !isReadOnly(seen));
    await host.ends(await host.order({ image: to }), { outcome: 'succeeded', runs: to });
  },
);

const isReadOnly = ({ observation }: HostView) => observation?.readOnly === true;

/** Safeguard: the slot is read back past the cache before it is valid. */
test.runIf(runsAll())('the slot cannot be read back: the old system, and why', async () => {
  const sector = (await host.firstSector(await host.freeSlot())) + FILLED;
  await failsWhile({ fails: 'read', sector }, /error|read|hold/i);
});

/** Safeguard: nothing is begun that the boot partition did not take: marking the slot invalid comes first. */
test.runIf(runsAll())('the boot partition takes no writes: the old system, and why', async () => {
  const sector = await host.bootFolderSector(await host.freeSlot());
  await failsWhile({ fails: 'write', sector }, /boot partition/);
});

/** Safeguard: room is looked for before kernel and initrd are written. */
test.runIf(runsAll())('the boot partition is full: the old system, and why', async () => {
  const [to, runs] = [await host.absentImage(), await host.runningImage()];
  const free = await host.freeSlot();
  await host.guest.powerOff();
  const { diskFile } = host.guest;
  const partition = `${diskFile}@@${(await host.firstSector('boot')) * 512}`;
  // Room that is taken by what is replaced is room enough.
  const replaced = ['vmlinuz', 'initrd.img'].map((name) => `::/warmboot/${free}/${name}`);
  await execa('mdel', ['-i', partition, ...replaced], { reject: false });
  const { stdout } = await execa('mdir', ['-i', partition, '::/']);
  const left = Number(/([\d ]+) bytes free/.exec(stdout)?.[1]?.replaceAll(' ', ''));
  const filler = `${diskFile}.filler`;
  await execa('truncate', ['-s', String(left - 8 * 2 ** 20), filler]);
  await execa('mcopy', ['-i', partition, filler, '::/FILLER']);
  await rm(filler);
  await host.guest.powerOn();
  await host.ends(await host.order({ image: to }), {
    outcome: 'failed',
    reason: /boot partition has \d+ KiB free/,
    runs,
  });
  await host.guest.powerOff();
  await execa('mdel', ['-i', partition, '::/FILLER']);
  await host.guest.powerOn();
  await host.ends(await host.order({ image: to }), { outcome: 'succeeded', runs: to });
});

/** Safeguard: no jump without a note of it; a report that cannot be kept is sent all the same. */
test.runIf(runsAll())('the state partition is full: the old system, and why', async () => {
  const [to, runs] = [await host.absentImage(), await host.runningImage()];
  await changeState(async (partition) => {
    const filler = `${partition}.filler`;
    // Not zeros, of which it would make holes. It ends with "no space left", and what it wrote stays.
    await execa('dd', ['if=/dev/urandom', `of=${filler}`, 'bs=1M', 'count=128']);
    await execa('/sbin/debugfs', ['-w', '-R', `write ${filler} filler`, partition], { reject: false });
    await rm(filler);
  });
  await host.ends(await host.order({ image: to }), {
    outcome: 'failed',
    reason: /state partition cannot be written/,
    runs,
  });
  await changeState((partition) => execa('/sbin/debugfs', ['-w', '-R', 'rm filler', partition]));
  await host.ends(await host.order({ image: to }), { outcome: 'succeeded', runs: to });
});

/** Between two power-ons; its journal is replayed before, or would be over what was changed. */
async function changeState(change: (partition: string) => Promise<unknown>): Promise<void> {
  await host.guest.powerOff();
  const { diskFile } = host.guest;
  const partition = `${diskFile}.state`;
  const start = await host.firstSector('state');
  await takeOut(diskFile, start * 512, twoSlots.stateBytes, partition);
  await execa('/sbin/e2fsck', ['-fp', partition], { reject: false });
  await change(partition);
  await execa('dd', [`if=${partition}`, `of=${diskFile}`, `seek=${start}`, 'conv=notrunc']);
  await rm(partition);
  await host.guest.powerOn();
}

/** Safeguard: a chunk is reused where its bytes hash right, and nowhere else. */
test.runIf(runsAll())('the free slot was spoilt at rest: the new system', async () => {
  const [to, runs] = [await host.absentImage(), await host.runningImage()];
  expect(to).not.toBe(runs);
  const first = await host.firstSector(await host.freeSlot());
  await host.guest.powerOff();
  const disk = await open(host.guest.diskFile, 'r+');
  for (let at = 0; at < 64; at += 1)
    await disk.write(Buffer.alloc(65_536, 0xa5), 0, 65_536, first * 512 + at * 16 * 2 ** 20);
  await disk.close();
  await host.guest.powerOn();
  await host.ends(await host.order({ image: to }), { outcome: 'succeeded', runs: to });
});

/** Safeguard: each chunk is hashed on the host, whatever the server says; it gives up in the end, and tells why. */
test.runIf(runsAll())(
  'chunks spoilt at rest on the server: the old system, and why; then the new one',
  async () => {
    const [to, runs] = [await host.absentImage(), await host.runningImage()];
    const packs = await readdir(join(data, 'packs'));
    const turnOver = async () => {
      for (const pack of packs) {
        const file = await open(join(data, 'packs', pack), 'r+');
        const { size } = await file.stat();
        for (let at = 1; at < 16; at += 1) {
          const { buffer } = await file.read(Buffer.alloc(1), 0, 1, Math.floor((size * at) / 16));
          await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, Math.floor((size * at) / 16));
        }
        await file.close();
      }
    };
    await turnOver();
    await host.ends(await host.order({ image: to }), { outcome: 'failed', reason: /damaged|sha256/, runs });
    await turnOver();
    await host.ends(await host.order({ image: to }), { outcome: 'succeeded', runs: to });
  },
);
