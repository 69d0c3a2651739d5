import { afterEach, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine.ts';
import type { Rack } from '../../lab/rack.ts';
import { image, newGuest, startRack } from './support.ts';

let rack: Rack | undefined;
afterEach(async () => {
  await rack?.close();
  rack = undefined;
});

/** Each machine is installed, switched, and started once more from its own disk. */
const MACHINES: [string, Partial<Machine>, string?][] = [
  ['BIOS, AHCI disk, e1000', { firmware: 'bios', disk: 'ahci', nic: 'e1000' }],
  ['UEFI, NVMe disk, e1000', { firmware: 'uefi', disk: 'nvme', nic: 'e1000' }],
  ['BIOS, msdos table', { firmware: 'bios' }, 'two-slots-msdos'],
];

test.each(MACHINES)('%s', async (name, parts, layout) => {
  rack = await startRack(`hardware-${name.replace(/\W+/g, '-')}`);
  const { story } = await newGuest(rack, 'one', parts);
  await story.enrol(image('debian-13'), layout);
  const installed = await story.install(image('debian-13'));
  const switched = await story.reassign(image('debian-12'), { download: true, before: installed });
  expect(switched).not.toBe(installed);
  await story.powerCycle(image('debian-12'), switched);
});
