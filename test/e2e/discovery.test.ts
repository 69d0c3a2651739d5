import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Guest } from '../../lab/guest.ts';
import { inCheckout } from '../../lab/paths.ts';
import type { Rack } from '../../lab/rack.ts';
import { image, newGuest, startRack } from './support.ts';

let rack: Rack;
let guest: Guest;
const second = `52:54:01:${randomBytes(3).toString('hex').match(/../g)?.join(':')}`;

beforeAll(async () => {
  rack = await startRack('discovery');
  ({ guest } = await newGuest(rack, 'one', { moreMacs: [second] }));
});
afterAll(() => rack?.close());

/** The command line, as an operator uses it. */
async function warmboot(...args: readonly string[]): Promise<string> {
  const { adminUrl, token } = rack.server;
  const { stdout } = await execa(inCheckout('warmboot'), ['--server', adminUrl, '--token', token, ...args]);
  return stdout;
}

const state = (wanted: string, seconds: number, since = 0) =>
  rack.feed.seen({
    source: 'api',
    guest: guest.name,
    since,
    what: `the state "${wanted}"`,
    timeoutMs: rack.patience(seconds),
    match: ({ host }) => host.state === wanted,
  });

test('a machine that nobody knows says what it is and waits, once, though it has two cards', async () => {
  await guest.powerOn();
  await state('discovered', 90);
  const list = JSON.parse(await warmboot('hosts', '--state', 'discovered', '--json'));
  const mine = list.hosts.filter(({ macs }: { macs: string[] }) =>
    [guest.mac, second].some((mac) => macs.includes(mac)),
  );
  expect(mine).toMatchObject([{ macs: [guest.mac, second], observation: null, claimed: false }]);

  const { inventory } = JSON.parse(await warmboot('host', second, '--json'));
  expect(inventory).toMatchObject({
    architecture: 'x86_64',
    firmware: { kind: 'uefi', bits: 64 },
    system: { vendor: 'Warmboot', product: 'Lab', serial: 'one' },
    cpu: { count: rack.accelerator.processors },
    disks: [
      {
        name: 'vda',
        serial: 'one-disk',
        bytes: guest.parts.diskBytes,
        sectorBytes: 512,
        transport: 'virtio',
        content: 'empty',
      },
    ],
    watchdog: true,
  });
  expect(inventory.memoryBytes).toBeGreaterThan(900 * 1024 ** 2);
  expect(inventory.memoryBytes).toBeLessThan(1024 ** 3);
  const nics = inventory.nics.map(({ mac, driver, link }: Record<string, unknown>) => ({
    mac,
    driver,
    link,
  }));
  expect(nics).toEqual([guest.mac, second].map((mac) => ({ mac, driver: 'virtio_net', link: true })));
  const page = await warmboot('host', guest.mac);
  expect(page).toContain('one-disk');
  // It goes on waiting, in the installer.
  await rack.feed.seen({
    source: 'serial',
    guest: guest.name,
    since: 0,
    what: 'the word that it waits',
    timeoutMs: rack.patience(30),
    match: ({ line }) => line.includes('waiting: hold: the host waits for approval'),
  });
});

test('approved by command it installs at once, without a reboot, and becomes active', async () => {
  const since = rack.feed.mark();
  const debian = image('debian-13');
  expect(await warmboot('approve', second, '--image', debian.digest)).toContain('is approved for');
  await state('active', 240, since);
  const resets = rack.feed
    .since(0, 'machine', guest.name)
    .filter(({ event }) => /^(RESET|SHUTDOWN|POWEROFF|QEMU )/.test(event));
  expect(resets).toEqual([]);
  const { observation, inventory } = JSON.parse(await warmboot('host', guest.mac, '--json'));
  expect([observation.digest, inventory.nics.length]).toEqual([debian.digest, 2]);
  const events = JSON.parse(await warmboot('events', '--host', guest.mac, '--limit', '200', '--json')).events;
  const kinds = events.map(({ kind }: { kind: string }) => kind);
  expect(kinds.slice(0, 5)).toEqual([
    'discovered',
    'discovery-decided',
    'approved',
    'attempt-began',
    'claimed',
  ]);
});

test('a machine that a rule ignores is sent back to its own disk, and is not in the list', async () => {
  await warmboot('discovery', 'rule', 'e2e', '--serial', 'two', '--ignore');
  const { guest: other } = await newGuest(rack, 'two', { firmware: 'bios' });
  const seen = (source: 'serial' | 'machine', what: string, pattern: RegExp, since = 0) =>
    rack.feed.seen({
      source,
      guest: other.name,
      since,
      what,
      timeoutMs: rack.patience(60),
      match: (sighting) => pattern.test('line' in sighting ? sighting.line : sighting.event),
    });
  try {
    await guest.powerOff();
    await other.powerOn();
    await seen('serial', 'the word that it is ignored', /this machine is ignored/);
    await seen('machine', 'the way through the firmware', /^RESET/);
    const since = rack.feed.mark();
    await seen('serial', 'its own disk', /Warmboot: booting the disk: the host is ignored/, since);
    expect(await warmboot('hosts')).not.toContain(other.mac);
    expect(await warmboot('hosts', '--state', 'ignored')).toContain(other.mac);
  } finally {
    await warmboot('discovery', 'drop', 'e2e');
  }
});
