import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine.ts';
import type { Rack } from '../../lab/rack.ts';
import type { Story } from '../../lab/story.ts';
import { runsAll } from '../all.ts';
import { image, newGuest, startRack } from './support.ts';

/**
 * The main job, on machines that stand in one rack and are told different things at the same time. A covering set: each firmware,
 * disk, card and partition table is in it. A story throws at the first thing that was not seen to happen.
 */
interface Case {
  readonly machine: string;
  readonly parts: Partial<Machine>;
  readonly first: string;
  readonly second: string;
  readonly layout?: string;
}

const CASES: readonly Case[] = [
  {
    machine: 'UEFI, NVMe disk, e1000',
    parts: { firmware: 'uefi', disk: 'nvme', nic: 'e1000' },
    first: 'debian-12',
    second: 'debian-13',
  },
];

const LONG_TAIL: readonly Case[] = [
  {
    machine: 'BIOS, AHCI disk, virtio, msdos table',
    parts: { firmware: 'bios', disk: 'ahci' },
    first: 'debian-13',
    second: 'debian-12',
    layout: 'two-slots-msdos',
  },
  { machine: 'UEFI, virtio', parts: { firmware: 'uefi' }, first: 'debian-13', second: 'debian-12' },
  {
    machine: 'BIOS, AHCI disk, e1000',
    parts: { firmware: 'bios', disk: 'ahci', nic: 'e1000' },
    first: 'debian-12',
    second: 'debian-13',
  },
];

const cases = runsAll() ? [...CASES, ...LONG_TAIL] : CASES;
const stories = new Map<string, Story>();
let rack: Rack;

beforeAll(async () => {
  rack = await startRack('main-job');
  // All stand in the rack before the first is switched on, so that the time-outs count with all of them.
  for (const { machine, parts } of cases) {
    const { story } = await newGuest(rack, machine.replaceAll(/\W+/g, '-').toLowerCase(), parts);
    stories.set(machine, story);
  }
});
afterAll(() => rack?.close());

test.concurrent.each(cases)(
  '$machine: installed, moved to another OS, started from its disk, and moved back without a download',
  async ({ machine, ...given }) => {
    const story = stories.get(machine) as Story;
    const [first, second] = [image(given.first), image(given.second)];
    await story.enrol(first, given.layout);
    const boots = [await story.install(first)];
    const move = async (download: boolean, to = download ? second : first) =>
      boots.push(await story.reassign(to, { download, before: boots.at(-1) ?? '' }));
    await move(true);
    // After a power cut the firmware boots the disk into the OS that was confirmed last.
    boots.push(await story.powerCycle(second, boots.at(-1) ?? ''));
    await move(false);
    expect(new Set(boots).size).toBe(boots.length);
  },
);
