import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AttemptView } from '../../lab/feed.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { image, newGuest, plan, startRack } from './support.ts';

/**
 * An order moves a host to its second disk; the first stays in the machine, and is what firmware and iPXE start. What its GRUB does is
 * in test/interop/moved-host.test.ts too; here the whole way is gone.
 */

const DISK_BYTES = 6 * 1024 ** 3;

let rack: Rack;
beforeAll(async () => {
  if (runsAll()) rack = await startRack('moved-host');
});
afterAll(() => rack?.close());

test.runIf(runsAll()).concurrent.each(['bios', 'uefi'] as const)('%s', async (firmware) => {
  const os = image('debian-13');
  const file = join(plan().folder, `second-${firmware}.img`);
  await writeFile(file, '');
  await truncate(file, DISK_BYTES);
  const name = `moved-${firmware}`;
  const { guest, story } = await newGuest(rack, name, { firmware, beside: [{ file, bus: 'virtio' }] });
  await rack.api.addHost({ macs: [guest.mac], image: os.digest, disk: `serial=${name}-disk` });
  await story.install(os);

  const since = rack.feed.mark();
  await rack.api.change(guest.mac, { disk: `serial=${name}-beside0` });
  await rack.api.reinstall(guest.mac);
  const seen = await rack.feed.seen({
    source: 'api',
    guest: name,
    since,
    what: `the end of ${name}'s reinstall`,
    timeoutMs: rack.patience(240),
    match: ({ host }) => host.attempt?.kind === 'install' && host.attempt.outcome != null,
  });
  expect(seen.host.attempt as AttemptView).toMatchObject({ outcome: 'succeeded' });
  const before = seen.host.observation;

  const on = rack.feed.mark();
  await story.powerCycle(os, before?.bootId ?? '');
  const said = rack.feed
    .since(on, 'serial', name)
    .map(({ line }) => line)
    .join('\n');
  expect(said).toMatch(/grub goes on with the disk that host [\s\S]*grub boots slot a/);
});
