import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Meddle, Meddling } from '../../lab/meddler.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { MatrixHost } from './matrix-host.ts';
import { image, newGuest } from './support.ts';

/**
 * The matrix of broken systems, third part: the network and the server. Nothing of it is the new system's fault, so each row ends
 * on the new one, by itself; what cannot be trusted is refused for as long as it comes.
 */
let rack: Rack;
let host: MatrixHost;
const honest: Meddle = () => undefined;
let meddle = honest;
const isData = (path: string) => /^\/boot\/images\/[^/]+\/data$/.test(path);

/** Does this to so many requests for an image's data. */
function spoil(times: number, how: (from: number, count: number) => Meddling): Meddle {
  let count = 0;
  return (path, from) => (isData(path) && count < times ? how(from, count++) : undefined);
}

beforeAll(async () => {
  if (!runsAll()) return;
  host = await MatrixHost.restore('broken-network', { meddle: (...asked) => meddle(...asked) });
  rack = host.rack;
});
afterEach(() => {
  meddle = honest;
});
afterAll(() => rack?.close());

/** Safeguard: each chunk is hashed before it is written. */
test.runIf(runsAll())('chunks corrupted in flight: fetched anew, and the new system', async () => {
  const to = await host.absentImage();
  meddle = spoil(3, (from) => ({ kind: 'alter', at: from + 10_000 }));
  const ordered = await host.order({ image: to });
  await host.ends(ordered, { outcome: 'succeeded', runs: to });
});

/** Safeguard: an end of the stream is no end of the image; it is taken up where it ended. */
test.runIf(runsAll())('the stream is cut, or ends early as if it were whole: the new system', async () => {
  const to = await host.absentImage();
  meddle = spoil(4, (from, count) => ({ kind: count % 2 === 0 ? 'cut' : 'shorten', at: from + 10_000 }));
  const ordered = await host.order({ image: to });
  await host.ends(ordered, { outcome: 'succeeded', runs: to });
});

/** Safeguards: the signature is checked before a word is read; then the host that it names. */
test.runIf(runsAll())(
  'manifests unsigned, altered, or for another host are refused; then the new system',
  async () => {
    const to = await host.absentImage();
    const { mac } = host.guest;
    // A machine that nobody has claimed yet: what it is told anybody may read, and it is signed.
    const other = mac.replace(/^52:54:00/, '52:54:01');
    await rack.api.removeHost(other).catch(() => {});
    await rack.api.addHost({ macs: [other], image: image(to).digest });
    let kind: Meddling = { kind: 'unsigned' };
    let asked = 0;
    // It says so once, and the first such manifest may come before the order.
    const since = rack.feed.mark();
    meddle = (path) => {
      if (!path.startsWith(`/boot/hosts/${mac}/manifest`)) return undefined;
      asked += 1;
      return kind;
    };
    const answered = async (times: number) => {
      for (const end = asked + times; asked < end; ) await sleep(500);
    };
    // The question that is held open now was asked before.
    await answered(1);
    const ordered = await host.order({ image: to });
    await host.says(/manifest refused: its signature is not/, { since });
    kind = { kind: 'alter', at: 20 };
    await answered(2);
    kind = { kind: 'instead', path: `/boot/hosts/${other}/manifest` };
    await host.says(/manifest refused: it is for host/, ordered);
    expect((await host.now())?.attempt).toMatchObject({ phase: 'pending', outcome: null });
    meddle = honest;
    await host.ends(ordered, { outcome: 'succeeded', runs: to });
    await rack.api.removeHost(other);
  },
);

/** Safeguard: a work that waits for the server, and goes on where it was. */
test.runIf(runsAll())('the server is gone during staging: the new system', async () => {
  const to = await host.absentImage();
  const ordered = await host.order({ image: to });
  await host.until('the staging', 120, ({ attempt }) => (attempt?.progress?.bytesDone ?? 0) > 0);
  await rack.server.kill();
  await sleep(30_000);
  await rack.server.start();
  await host.ends(ordered, { outcome: 'succeeded', runs: to });
});

/** Safeguard: the gateway's answer is enough, and confirm is local. */
test.runIf(runsAll())('the server is gone during the trial: the new system', async () => {
  const to = await host.otherImage();
  const ordered = await host.order({ image: to });
  await host.until('the jump', 120, ({ attempt }) => attempt?.phase === 'switching');
  await rack.server.kill();
  await host.says(/confirmed slot \w/, ordered);
  await rack.server.start();
  await host.ends(ordered, { outcome: 'succeeded', runs: to });
});

/** Safeguard: where kexec does not load, the one-shot `next` of grubenv leads to the same trial. */
test.runIf(runsAll())('kexec refuses to load: through the firmware to the new system', async () => {
  const first = await host.otherImage();
  const refuses = await host.order({ image: first, append: 'sysctl.kernel.kexec_load_disabled=1' });
  await host.ends(refuses, { outcome: 'succeeded', runs: first });
  const second = await host.otherImage();
  const ordered = await host.order({ image: second });
  await host.ends(ordered, { outcome: 'succeeded', runs: second });
  expect(host.said(ordered)).toMatch(/kexec refuses the kernel/);
  expect(host.said(ordered)).toMatch(/grub boots slot \w trial/);
});

/** Safeguard: no decision rests on a host's clock. */
test.runIf(runsAll())('a clock 20 years wrong: the new system', async () => {
  await host.ready();
  const began = Date.now();
  await host.cutPower({ clock: '2046-11-01T00:00:00' });
  await host.until('a boot', 150, (seen) => (seen.observation?.at ?? 0) > began);
  const to = await host.absentImage();
  const ordered = await host.order({ image: to });
  await host.ends(ordered, { outcome: 'succeeded', runs: to });
});

/** Safeguards: all cards ask for an address, and the one that the firmware booted from is asked first; no clock is believed. */
test.runIf(runsAll())(
  'two cards, the first one dead, and a clock 20 years behind: installed, and moved',
  async () => {
    await host.guest.powerOff();
    const { guest, story } = await newGuest(rack, 'two-cards', { firmware: 'bios', deadCards: 1 });
    await story.enrol(image('debian-12'));
    await guest.powerOn({ clock: '2006-11-01T00:00:00' });
    const odd = MatrixHost.of(rack, guest);
    await odd.runs('debian-12', 0);
    const ordered = await odd.order({ image: 'debian-13' });
    await odd.ends(ordered, { outcome: 'succeeded', runs: 'debian-13' });
    await guest.powerOff();
  },
);

/**
 * Safeguards, each enough alone: a machine without an order is sent to its own disk; one without the host's token is told nothing by the
 * server; and an installer that hears of a switch writes nothing.
 */
test.runIf(runsAll())(
  'two machines with one MAC: the new system on the one, nothing on the other',
  async () => {
    await host.ready();
    const to = await host.otherImage();
    const twin = await rack.addGuest({ name: 'twin', mac: host.guest.mac, firmware: 'bios' });
    const ordered = await host.order({ image: to });
    await twin.powerOn();
    await host.ends(ordered, { outcome: 'succeeded', runs: to }, 400);
    await twin.powerOff();
    expect((await stat(twin.diskFile)).blocks).toBe(0);
  },
);

/** Safeguard: nothing that is waited for ends with the server's absence. More than the hour after which silence is a failure. */
test.runIf(runsAll())(
  'the server is gone for an hour in the middle of staging: the new system',
  async () => {
    const to = await host.absentImage();
    const ordered = await host.order({ image: to });
    await host.until('the staging', 120, ({ attempt }) => (attempt?.progress?.bytesDone ?? 0) > 0);
    await rack.server.kill();
    await sleep(65 * 60_000);
    await rack.server.start();
    await host.ends(ordered, { outcome: 'succeeded', runs: to });
  },
  120 * 60_000,
);
