import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sectorsOf } from '../../lab/disk-machine.ts';
import type { AttemptView } from '../../lab/feed.ts';
import type { Guest } from '../../lab/guest.ts';
import { DISK_BUSES, type Machine } from '../../lab/machine.ts';
import type { Rack } from '../../lab/rack.ts';
import type { Story } from '../../lab/story.ts';
import { runsAll } from '../all.ts';
import { foreignDisk } from './foreign-disk.ts';
import { contentHash, takeOut } from './sparse.ts';
import { endOfAttempt, image, newGuest, plan, startRack } from './support.ts';

/**
 * What the installer does to disks, with 1 GiB of memory: the controllers, 4096-byte sectors, rules, foreign data, and /data over
 * a reinstall. All machines stand in one rack and go their ways at the same time.
 */
const GIB = 1024 ** 3;
/** Has a data partition; 33348 MiB at least. */
const LAYOUT = 'four-slots';

interface Installed {
  readonly guest: Guest;
  readonly story: Story;
}

let rack: Rack;
const guests = new Map<string, Installed>();

async function add(name: string, parts: Partial<Machine>): Promise<void> {
  guests.set(name, await newGuest(rack, name, parts));
}

function guest(name: string): Installed {
  return guests.get(name) as Installed;
}

/** The next end of an attempt after `act`. */
async function outcome(name: string, act: () => Promise<unknown>): Promise<AttemptView> {
  const { guest: machine } = guest(name);
  const since = rack.feed.mark();
  await act();
  const seen = await rack.feed.seen({
    source: 'api',
    guest: machine.name,
    since,
    what: `the end of ${machine.name}'s attempt`,
    timeoutMs: rack.patience(240),
    match: ({ host }) => host.attempt?.outcome != null,
  });
  return seen.host.attempt as AttemptView;
}

function says(name: string, what: RegExp, since = 0): Promise<unknown> {
  return rack.feed.seen({
    source: 'serial',
    guest: name,
    since,
    what: `${what.source} on the serial port`,
    timeoutMs: rack.patience(60),
    match: ({ line }) => what.test(line),
  });
}

interface Table {
  readonly partitiontable: {
    readonly sectorsize: number;
    readonly partitions: readonly { readonly start: number; readonly size: number; readonly name?: string }[];
  };
}

/** The data partition of a disk that is switched off, as a file of its own with its journal replayed. */
async function takeData(disk: string): Promise<{ readonly file: string; readonly startMiB: number }> {
  const { stdout } = await execa('/sbin/sfdisk', ['-J', disk]);
  const { sectorsize, partitions } = (JSON.parse(stdout) as Table).partitiontable;
  const found = partitions.find(({ name }) => name === 'warmboot-data');
  if (found === undefined) throw new Error(`${disk} has no data partition: ${stdout}`);
  const file = `${disk}.data`;
  await takeOut(disk, found.start * sectorsize, found.size * sectorsize, file);
  const { exitCode } = await execa('/sbin/e2fsck', ['-fy', file], { reject: false });
  expect(exitCode).toBeLessThan(2);
  return { file, startMiB: (found.start * sectorsize) / 2 ** 20 };
}

beforeAll(async () => {
  const [small, stick] = [
    await foreignDisk(join(plan().folder, 'foreign.img'), GIB),
    await foreignDisk(join(plan().folder, 'stick.img'), GIB / 4),
  ];
  rack = await startRack('installer');
  if (runsAll())
    await add('sas', {
      firmware: 'bios',
      disk: 'megasas',
      diskBytes: 34 * GIB,
      beside: [
        { file: small, bus: 'virtio' },
        { file: stick, bus: 'usb' },
      ],
    });
  await add('nvme-4kn', { disk: 'nvme', sectorBytes: 4096 });
  if (runsAll())
    for (const disk of DISK_BUSES) await add(`all-${disk}`, { firmware: 'bios', disk, memoryMiB: 1024 });
});
afterAll(() => rack?.close());

test.concurrent('NVMe with 4096-byte sectors: foreign data are refused untouched, then wiped by order', async () => {
  const { guest: machine } = guest('nvme-4kn');
  const os = image('debian-13');
  const file = await open(machine.diskFile, 'r+');
  await file.write(Buffer.from("somebody's data"), 0, 15, 300_000);
  await file.close();
  const before = await contentHash(machine.diskFile);
  const refused = await outcome(machine.name, async () => {
    await rack.api.addHost({ macs: [machine.mac], image: os.digest });
    await machine.powerOn();
  });
  expect(refused).toMatchObject({ outcome: 'failed', phase: expect.stringMatching(/claimed|writing/) });
  expect(refused.reason).toMatch(
    /disk nvme0n1 \(6 GB, QEMU NVMe Ctrl, serial nvme-4kn-disk, foreign\) is not empty and not this host's/,
  );
  expect(await contentHash(machine.diskFile)).toBe(before);

  const wiped = await outcome(machine.name, () => rack.api.reinstall(machine.mac, true));
  expect(wiped).toMatchObject({ kind: 'install', outcome: 'succeeded' });
  expect(await sectorsOf(machine.diskFile)).toBe(4096);
});

if (runsAll()) {
  test.concurrent('SAS, by size: the smaller foreign disk and the stick stay as they were, and /data outlives a reinstall', async () => {
    const { guest: machine, story } = guest('sas');
    const os = image('debian-13');
    const others = machine.parts.beside.map(({ file }) => file);
    const before = await Promise.all(others.map(contentHash));
    await rack.api.addHost({
      macs: [machine.mac],
      image: os.digest,
      layout: LAYOUT,
      disk: 'smallest,min=30GB',
    });
    await story.install(os);
    await says(machine.name, /data partition \w+ is at \/data/);
    await machine.powerOff();

    const marker = join(plan().folder, 'marker');
    await writeFile(marker, 'production');
    // What production left there; and the filesystem is smaller than its partition, as after a move to a larger disk.
    const taken = await takeData(machine.diskFile);
    await execa('/sbin/debugfs', ['-w', '-R', `write ${marker} marker`, taken.file]);
    await execa('/sbin/resize2fs', [taken.file, '256M']);
    const range = ['conv=notrunc', 'count=256', `seek=${taken.startMiB}`];
    await execa('dd', [`if=${taken.file}`, `of=${machine.diskFile}`, 'bs=1M', ...range]);
    const since = rack.feed.mark();
    const attempt = await outcome(machine.name, async () => {
      await rack.api.reinstall(machine.mac);
      await machine.powerOn();
    });
    expect(attempt).toMatchObject({ kind: 'install', outcome: 'succeeded' });
    await says(machine.name, /data partition \w+ is at \/data/, since);
    await machine.powerOff();
    const { file } = await takeData(machine.diskFile);
    expect((await execa('/sbin/debugfs', ['-R', 'cat marker', file])).stdout).toBe('production');
    const { stdout: about } = await execa('/sbin/dumpe2fs', ['-h', file]);
    expect(Number(/Block count: +(\d+)/.exec(about)?.[1]) * 4096).toBeGreaterThan(GIB);
    expect(await Promise.all(others.map(contentHash))).toEqual(before);
  });

  test.concurrent.each(DISK_BUSES)('%s', async (disk) => {
    const { guest: machine } = guest(`all-${disk}`);
    const os = image('debian-13');
    // A drive behind USB is taken by name only.
    const rule = disk === 'usb' ? { disk: `serial=${machine.name}-disk` } : {};
    await rack.api.addHost({ macs: [machine.mac], image: os.digest, ...rule });
    await machine.powerOn();
    expect(await endOfAttempt(rack, machine, 240)).toMatchObject({ outcome: 'succeeded' });
  });
}
