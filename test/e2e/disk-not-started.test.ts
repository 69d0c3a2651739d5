import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { image, newGuest, plan, startRack } from './support.ts';

/** What GRUB cannot start the installer can: a machine whose disk did not come up some times in a row gets it, without an order. */

let rack: Rack;
beforeAll(async () => {
  if (runsAll()) rack = await startRack('disk-not-started', { patience: 2 });
});
afterAll(() => rack?.close());

/** Takes from GRUB, not from kexec, what it reads of slot a. */
async function spoilForGrub(disk: string): Promise<void> {
  const { stdout } = await execa('/sbin/sfdisk', ['-J', disk]);
  const { partitions } = JSON.parse(stdout).partitiontable as {
    readonly partitions: readonly { readonly start: number; readonly name?: string }[];
  };
  const start = partitions.find(({ name }) => name === 'warmboot-boot')?.start ?? 0;
  const empty = join(plan().folder, 'empty');
  await writeFile(empty, '');
  await execa('mcopy', ['-o', '-i', `${disk}@@${start * 512}`, empty, '::/warmboot/a/slot.cfg']);
}

test.runIf(runsAll()).concurrent.each(['bios', 'uefi'] as const)('%s', async (firmware) => {
  const os = image('debian-13');
  const name = `spoilt-${firmware}`;
  const { guest, story } = await newGuest(rack, name, { firmware });
  await story.enrol(os);
  const before = await story.install(os);
  await guest.powerOff();
  await spoilForGrub(guest.diskFile);

  const since = rack.feed.mark();
  await guest.powerOn();
  await rack.feed.seen({
    source: 'api',
    guest: name,
    since,
    what: `${name} running again`,
    timeoutMs: rack.patience(360),
    match: ({ host }) => host.observation?.environment === 'os' && host.observation.bootId !== before,
  });
  const said = rack.feed
    .since(since, 'serial', name)
    .map(({ line }) => line)
    .join('\n');
  expect(said).toMatch(/grub cannot load slot a/);
  expect(said).toMatch(/boots slot a of \w+: the server says/);
});
