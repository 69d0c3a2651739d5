/**
 * From the assignment of an image that is staged already to its confirmation, in a virtual machine; beside the same OS started by a bare
 * `kexec -e` (nothing stopped, nothing checked, nobody told), and by a reboot through the firmware and the network's "boot your
 * disk". The difference to the first is what orderly stopping, the trial, the health check and the confirmation cost. In turn,
 * seconds, medians. The firmware is QEMU's: a server's own takes minutes more.
 *
 * Usage: switch.ts [--quick]. Needs Docker and QEMU (`./warmboot demo` sets them up) and root.
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildImage } from '../lab/build.ts';
import { insideNamespaces, runInNamespaces } from '../lab/namespace.ts';
import { inCheckout } from '../lab/paths.ts';
import type { BuiltImage } from '../lab/story.ts';
import { makeWorkFolder, removeFolder } from '../lab/work-folder.ts';
import { BenchGuest } from './bench-guest.ts';
import { markdown, median } from './workspace.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    folder: { type: 'string', default: '' },
    guest: { type: 'string', default: '' },
    other: { type: 'string', default: '' },
  },
});
const rounds = values.quick ? 1 : 3;
const data = inCheckout('.cache/lab');

/** Loads what the boot loader would start and jumps, as the kexec manual has it. */
const BARE = `set -eu
slot=$(tr ' ' '\\n' < /proc/cmdline | sed -n 's/^warmboot.slot=//p')
at=/run/warmboot/boot/warmboot/$slot
kexec -l "$at/vmlinuz" --initrd="$at/initrd.img" --command-line="$(cat "$at/cmdline")"
sync
kexec -e`;

if (insideNamespaces()) await measureAll();
else {
  await mkdir(data, { recursive: true });
  const guest = await BenchGuest.build(data);
  const other = await buildImage('debian-13', data, new AbortController().signal);
  const folder = await makeWorkFolder('bench');
  const inside = [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--folder', folder];
  const images = ['--guest', guest.digest, '--other', other.digest];
  process.exitCode = await runInNamespaces([...inside, ...images], { graceful: false });
  await removeFolder(folder);
}

async function measureAll(): Promise<void> {
  const bench = await BenchGuest.install({ folder: values.folder, data, digest: values.guest });
  const seen: Record<string, number[]> = {};
  const note = (what: string, ms: number) => {
    seen[what] = [...(seen[what] ?? []), ms / 1000];
    process.stderr.write(`${what} ${(ms / 1000).toFixed(1)} s\n`);
  };
  try {
    const other = { name: 'debian-13', digest: values.other };
    await reassign(bench, other, true);
    for (let round = 1; round <= rounds; round += 1) {
      const ours = await reassign(bench, bench.image, false);
      note('order to jump', ours.jump - ours.began);
      note('jump to up', ours.up - ours.jump);
      note('up to confirmed', ours.confirmed - ours.up);
      note('confirmed', ours.confirmed - ours.began);
      note('bare', await started(bench, BARE));
      note('firmware', await started(bench, 'systemctl reboot'));
      if (round < rounds) await reassign(bench, other, false);
    }
    print(bench.rack.accelerator.name, seen);
  } finally {
    await bench.close();
  }
}

/** When it was ordered, the host said that it jumps, the system said that it is up (if it can), the server saw it confirmed. */
async function reassign(bench: BenchGuest, image: BuiltImage, download: boolean) {
  const { feed } = bench.rack;
  const since = feed.mark();
  const began = Date.now();
  bench.boot = await bench.story.reassign(image, { download, before: bench.boot });
  const report = (kind: string) =>
    feed.seen({
      source: 'event',
      guest: bench.guest.name,
      what: `the report ${kind}`,
      timeoutMs: bench.rack.patience(10),
      since,
      match: (seen) => seen.event.data.report === kind,
    });
  const jump = (await report('switching')).event.at;
  const confirmed = (await report('confirmed')).event.at;
  const up = image === bench.image ? await isUp(bench, since) : confirmed;
  return { began, jump, up, confirmed };
}

async function isUp(bench: BenchGuest, since: number): Promise<number> {
  const seen = await bench.rack.feed.seen({
    source: 'serial',
    guest: bench.guest.name,
    what: 'the word that the system is up',
    timeoutMs: bench.rack.patience(90),
    since,
    match: ({ line }) => line.includes('bench: the system is up'),
  });
  return seen.at;
}

/** Hands the script to the system, and waits until it is up again and the server has heard of it. @returns milliseconds */
async function started(bench: BenchGuest, script: string): Promise<number> {
  const since = bench.rack.feed.mark();
  const began = Date.now();
  bench.shell.hand(script);
  const up = await isUp(bench, since);
  const { host } = await bench.rack.feed.seen({
    source: 'api',
    guest: bench.guest.name,
    what: 'the report of the new boot',
    timeoutMs: bench.rack.patience(60),
    since,
    match: (seen) => ![undefined, bench.boot].includes(seen.host.observation?.bootId),
  });
  bench.boot = host.observation?.bootId ?? '';
  return up - began;
}

function print(accelerator: string, seen: Readonly<Record<string, readonly number[]>>): void {
  const middle = (values: readonly number[] = []) => median(values).toFixed(1);
  const beside = (what: string) =>
    middle(seen[what]?.map((value, round) => (seen.confirmed?.[round] ?? 0) - value));
  const rows = [
    [`debian-13, OVMF, ${accelerator}`, 's', 'ours − this'],
    ['ours: assignment, already staged → confirmed', middle(seen.confirmed), ''],
    ['of it until the host says that it jumps', middle(seen['order to jump']), ''],
    ['of it stopping, kexec, starting, until it is up', middle(seen['jump to up']), ''],
    ['of it from up to confirmed', middle(seen['up to confirmed']), ''],
    ['bare `kexec -l`, `kexec -e` → up', middle(seen.bare), beside('bare')],
    ['`systemctl reboot`, firmware, netboot, GRUB → up', middle(seen.firmware), beside('firmware')],
  ];
  process.stdout.write(`\n${markdown(rows)}\n\n${rounds} rounds in turn, medians.\n`);
}
