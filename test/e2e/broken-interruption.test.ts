import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Meddle } from '../../lab/meddler.ts';
import type { Rack } from '../../lab/rack.ts';
import { runsAll } from '../all.ts';
import { MatrixHost } from './matrix-host.ts';

/**
 * The matrix of broken systems, second part: something comes in between. What was only an interruption ends on the new system, by
 * itself; a trial that was cut short ends on the old one. One machine goes from image to image.
 */
let rack: Rack;
let host: MatrixHost;
/** What the network does to requests now. */
const honest: Meddle = () => undefined;
let meddle = honest;
const isReport = (path: string, method: string) => method === 'POST' && path.endsWith('/reports');

beforeAll(async () => {
  if (!runsAll()) return;
  host = await MatrixHost.restore('broken-interruption', { meddle: (...asked) => meddle(...asked) });
  rack = host.rack;
});
afterEach(() => {
  meddle = honest;
});
afterAll(() => rack?.close());

/** Safeguard: the slot is invalid from before its first byte is written until after its last one is verified. */
test.runIf(runsAll())('power cut during staging: staged anew, and the new system', async () => {
  const image = await host.absentImage();
  const free = await host.freeSlot();
  const ordered = await host.order({ image });
  await host.until('half of the staging', 120, ({ attempt }) => {
    const { bytesDone = 0, bytesTotal = 1 } = attempt?.progress ?? {};
    return attempt?.phase === 'staging' && bytesDone > bytesTotal / 10;
  });
  const cut = Date.now();
  await host.cutPower();
  const { observation } = await host.until('a boot', 120, (seen) => (seen.observation?.at ?? 0) > cut);
  expect(observation?.slots[free]?.state).toBe('invalid');
  await host.ends(ordered, { outcome: 'succeeded', runs: image });
});

/** Safeguard: what was staged stands on the disk before it is called so. An operator's hold keeps the two apart. */
test.runIf(runsAll())('power cut between stage and switch: the new system', async () => {
  const image = await host.absentImage();
  const free = await host.freeSlot();
  const ordered = await host.order({ image });
  await host.until('the staging', 120, ({ attempt }) => attempt?.phase === 'staging');
  await rack.api.hold(host.guest.mac);
  await host.until('the end of staging', 240, ({ attempt }) => attempt?.phase === 'staged');
  const cut = Date.now();
  await host.cutPower();
  const { observation } = await host.until('a boot', 120, (seen) => (seen.observation?.at ?? 0) > cut);
  expect(observation?.slots[free]?.state).toBe('valid');
  const before = rack.feed.mark();
  await rack.api.resume(host.guest.mac);
  await host.ends(ordered, { outcome: 'succeeded', runs: image });
  const fetched = rack.feed.since(before, 'log').filter(({ record }) => /\/data$/.test(String(record.path)));
  expect(fetched).toEqual([]);
});

/** Safeguard: a jump that was made ready and not begun says nothing of the image, so it is asked for again. */
test.runIf(runsAll())('power cut when the jump is made ready: the new system', async () => {
  const image = await host.otherImage();
  await rack.api.hold(host.guest.mac);
  const ordered = await host.order({ image });
  // The host waits for the answer to its word that it jumps.
  meddle = (path, _, method) => (isReport(path, method) ? { kind: 'stall' } : undefined);
  await rack.api.resume(host.guest.mac);
  await host.until('the jump', 60, ({ attempt }) => attempt?.phase === 'switching');
  await host.guest.powerOff();
  meddle = honest;
  await host.guest.powerOn();
  await host.says(/restarted before it had jumped/, ordered);
  await host.ends(ordered, { outcome: 'succeeded', runs: image });
});

/** Safeguard: GRUB's default stays on the old slot until confirm. */
test.runIf(runsAll())(
  'power cut during the trial: the old system, and the new one when it is tried again',
  async () => {
    const [image, runs] = [await host.otherImage(), await host.runningImage()];
    const ordered = await host.order({ image });
    await host.says(/booted slot \w .* on trial/, ordered);
    await host.cutPower();
    await host.ends(ordered, { outcome: 'rolled-back', reason: /did not confirm/, runs });
    await host.ends(await host.order({ image }), { outcome: 'succeeded', runs: image });
  },
);

/** Safeguard: the default is moved first, and the report waits on the state partition until it is acknowledged. */
test.runIf(runsAll())('power cut between confirm on the host and its report: the new system', async () => {
  const image = await host.absentImage();
  const ordered = await host.order({ image });
  await host.says(/booted slot \w .* on trial/, ordered);
  meddle = (path, _, method) => (isReport(path, method) ? { kind: 'refuse', status: 502 } : undefined);
  await host.says(/confirmed slot \w/, ordered);
  await host.guest.powerOff();
  expect((await host.now())?.attempt?.outcome).toBeNull();
  meddle = honest;
  await host.guest.powerOn();
  await host.ends(ordered, { outcome: 'succeeded', runs: image });
});

/** Safeguard: reports wait in the outbox in order; the same one twice is one. */
test.runIf(runsAll())(
  'every report is lost at first, taken by the server or not: the new system',
  async () => {
    const image = await host.otherImage();
    let count = 0;
    meddle = (path, _, method) => {
      if (!isReport(path, method)) return undefined;
      count += 1;
      if (count % 3 === 1) return { kind: 'lose' };
      return count % 3 === 2 ? { kind: 'refuse', status: 502 } : undefined;
    };
    const ordered = await host.order({ image });
    await host.ends(ordered, { outcome: 'succeeded', runs: image });
    meddle = honest;
    expect(count).toBeGreaterThan(3);
  },
);

/** Safeguard: a grubenv that cannot be read means the first valid slot, and the agent makes it anew. Cuts at every write: order-of-writes. */
test.runIf(runsAll())(
  'grubenv is garbage after a power cut: a valid slot, and the next order works',
  async () => {
    await host.ready();
    await host.guest.powerOff();
    const { diskFile } = host.guest;
    const garbage = `${diskFile}.garbage`;
    await writeFile(garbage, Buffer.alloc(1024, 0xa5));
    const partition = `${diskFile}@@${(await host.firstSector('boot')) * 512}`;
    await execa('mcopy', ['-o', '-i', partition, garbage, '::/grub/grubenv']);
    await rm(garbage);
    const began = Date.now();
    await host.guest.powerOn();
    await host.until(
      'a boot',
      150,
      (seen) => (seen.observation?.at ?? 0) > began && seen.observation?.environment === 'os',
    );
    await sleep(1_000);
    const image = await host.otherImage();
    await host.ends(await host.order({ image }), { outcome: 'succeeded', runs: image });
  },
);
