import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { MatrixHost, type Ordered } from './matrix-host.ts';
import { FIRST_IMAGE } from './snapshot.ts';
import { image, startRack } from './support.ts';

/**
 * The matrix of broken systems, fifth part: a kernel that hangs, which nothing but hardware ends, on a machine that has a watchdog; and
 * the way back that somebody orders, on the host and at the server. One machine, in turn.
 */
let rack: Rack;
let host: MatrixHost;

beforeAll(async () => {
  if (!runsAll()) return;
  rack = await startRack('way-back');
  host = await MatrixHost.install(rack, 'one', { watchdog: true });
});
afterAll(() => rack?.close());

/** How often the watchdog has bitten since then, as QEMU saw it. */
function bites({ since }: Pick<Ordered, 'since'>): number {
  return rack.feed.since(since, 'machine', host.guest.name).filter(({ event }) => event === 'WATCHDOG')
    .length;
}

/** Safeguard: the watchdog that is armed at the last moment before the jump (system-shutdown/warmboot). */
test.runIf(runsAll())(
  'kexec jumps and what starts there hangs: the old system, by the watchdog',
  async () => {
    // A shell that waits for somebody: no module is loaded, no clock runs, no panic comes.
    const ordered = await host.order({ image: 'fragile', append: 'rdinit=/usr/bin/sh' });
    await host.says(/i6300esb\) resets this machine if nobody feeds it/, ordered);
    const reason =
      /did not confirm and said nothing of itself; the hardware watchdog \(i6300esb\) reset the machine/;
    await host.ends(ordered, { outcome: 'rolled-back', reason, runs: FIRST_IMAGE });
    expect(bites(ordered)).toBe(1);
  },
);

/** Safeguard: trial-guard opens the watchdog, and feeds it itself: nothing does once the kernel stands. */
test.runIf(runsAll())('the kernel stops in the trial: the old system, by the watchdog', async () => {
  const ordered = await host.order({ image: 'fragile', append: 'fault=halt' });
  await host.says(/fault: halt/, ordered);
  const reason = /started and did not confirm: .*; the hardware watchdog \(i6300esb\) reset the machine/;
  await host.ends(ordered, { outcome: 'rolled-back', reason, runs: FIRST_IMAGE });
  expect(bites(ordered)).toBe(1);
});

/** Safeguard: a watchdog that is open is let go when the trial is over. */
test.runIf(runsAll())('a good system is confirmed, and the watchdog leaves it alone', async () => {
  const ordered = await host.order({ image: 'fragile' });
  await host.ends(ordered, { outcome: 'succeeded', runs: 'fragile' });
  // Longer than a watchdog of a trial waits.
  await sleep(75_000);
  expect(bites(ordered)).toBe(0);
});

test.runIf(runsAll())('the server orders it back: the former system, without a download', async () => {
  await host.ready();
  const since = rack.feed.mark();
  await rack.api.change(host.guest.mac, { append: '' });
  const { attempt, digest } = await rack.api.rollback(host.guest.mac);
  expect({ digest, begun: attempt !== null }).toEqual({ digest: image(FIRST_IMAGE).digest, begun: true });
  await host.ends({ attempt: attempt ?? '', since }, { outcome: 'succeeded', runs: FIRST_IMAGE });
  expect(host.said({ since })).not.toMatch(/phase write/);
});

const WHY = /ordered by hand on the host: it is not what it was/;

/** Safeguard: who left it on the host is believed, and it is not tried again. */
test.runIf(runsAll())('somebody on the host ends its trial: the old system', async () => {
  const ordered = await host.order({ image: 'fragile', append: 'fault=health-fails by-hand=trial' });
  await host.ends(ordered, { outcome: 'rolled-back', reason: WHY, runs: FIRST_IMAGE });
  expect(host.said(ordered)).toMatch(/slot b .*running on trial/);
});

test.runIf(runsAll())('somebody on the host leaves it later: the old system, and it is held', async () => {
  const { mac } = host.guest;
  const ordered = await host.order({ image: 'fragile', append: 'by-hand=later' });
  await host.ends(ordered, { outcome: 'succeeded', runs: 'fragile' });
  const since = Date.now();
  const back = await host.runs(FIRST_IMAGE, since);
  expect(back).toMatchObject({ state: 'hold', observation: { wentBack: expect.stringMatching(WHY) } });
  expect(await rack.api.next(mac)).toMatchObject({ action: 'hold', reason: expect.stringMatching(WHY) });
  // It is not tried again by itself; an operator's new order brings it back.
  await sleep(30_000);
  expect(await host.runningImage()).toBe(FIRST_IMAGE);
  await host.ends(await host.order({ image: 'fragile' }), { outcome: 'succeeded', runs: 'fragile' });
});

/** Safeguard: kexec.target has a limit, and systemd jumps then (before 254 it goes through the firmware). The last row, for this system is not left in order. */
test.runIf(runsAll())('a service of the old system never stops: the new system', async () => {
  const holds = await host.order({ image: 'fragile', append: 'fault=never-stops' });
  await host.ends(holds, { outcome: 'succeeded', runs: 'fragile' });
  const ordered = await host.order({ image: FIRST_IMAGE });
  await host.ends(ordered, { outcome: 'succeeded', runs: FIRST_IMAGE });
  expect(host.said(ordered)).not.toMatch(/grub boots/);
});
