import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { askForFigures, type Figures, figuresOf } from './host-figures.ts';
import { image, newGuest, startRack } from './support.ts';

/**
 * Four releases one after another on the same disk: to a newer kernel and back to an older one, with both filesystems side by side. What a
 * newer system does to the disk must not keep an older one from starting.
 */
interface Case {
  readonly machine: string;
  readonly parts: Partial<Machine>;
  readonly layout: string;
  /** A name that comes again lies on the disk already. */
  readonly path: readonly [string, ...string[]];
}

const CASES: readonly Case[] = [
  {
    machine: 'BIOS, msdos table, two slots',
    parts: { firmware: 'bios' },
    layout: 'two-slots-msdos',
    path: ['debian-11', 'debian-13:xfs', 'debian-12', 'debian-11:xfs'],
  },
  {
    machine: 'UEFI, GPT, four slots and data',
    parts: { firmware: 'uefi', diskBytes: 40 * 1024 ** 3 },
    layout: 'four-slots',
    path: ['debian-11:xfs', 'debian-13', 'debian-12:xfs', 'debian-11:xfs'],
  },
];

const KERNELS: Readonly<Record<string, string>> = {
  'debian-11': '5.10',
  'debian-12': '6.1',
  'debian-13': '6.12',
};

let rack: Rack;
beforeAll(async () => {
  if (runsAll()) rack = await startRack('debian-11-13-12-11', { patience: 3 });
});
afterAll(() => rack?.close());

/** What every boot of this release must say of itself. */
function signs(name: string): Record<string, unknown> {
  const [release = '', filesystem = 'ext4'] = name.split(':');
  return {
    kernel: expect.stringMatching(`^${KERNELS[release]?.replace('.', '\\.')}\\.`),
    root: filesystem,
    recovered: '0',
    failed: '',
  };
}

test.runIf(runsAll()).concurrent.each(CASES)(
  '$machine: $path by kexec, each with its own filesystem and the same identity, and the right one after a power cut',
  async ({ machine, parts, layout, path }) => {
    const { guest, story } = await newGuest(rack, machine.replaceAll(/\W+/g, '-').toLowerCase(), parts);
    const [first, ...others] = path;
    await story.enrol(image(first), layout);
    await askForFigures(rack.api, guest.mac);
    let before = '';
    const boot = async (act: () => Promise<string>): Promise<Figures> => {
      const since = rack.feed.mark();
      before = await act();
      return figuresOf(rack.feed, guest, since, rack.patience(60));
    };
    const installed = await boot(() => story.install(image(first)));
    expect(installed).toMatchObject({ ...signs(first), slot: 'a' });
    // A layout without a data partition has nothing to say of it.
    const same = Object.fromEntries(
      Object.entries(installed).filter(([name]) => ['id', 'key', 'data'].includes(name)),
    );
    const held = new Map([[first, 'a']]);
    for (const [at, name] of others.entries()) {
      const download = !held.has(name);
      const figures = await boot(() => story.reassign(image(name), { download, before }));
      expect(figures).toMatchObject({ ...signs(name), ...same });
      if (download) held.set(name, figures.slot ?? '');
      expect(figures.slot).toBe(held.get(name));
      if (at !== 1) continue;
      // In the midst of it, through the firmware.
      const again = await boot(() => story.powerCycle(image(name), before));
      expect(again).toMatchObject({
        ...signs(name),
        ...same,
        slot: figures.slot,
        recovered: expect.anything(),
      });
      expect(again['trial-words']).toBe('0');
    }
  },
  90 * 60_000,
);
