/**
 * From power-on to the installer's kernel, in a virtual machine: seconds, and how many of them are ours. Three firmwares, three
 * times each in turn, medians. Ours begins with the first packet that reaches the server and ends with the kernel's first
 * word; before it lie the firmware's own start and the DHCP server's answers. Of ours, "served" is the time in which the
 * server had an open transfer for the machine, as its log tells.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildImage } from '../lab/build.ts';
import type { LogRecord } from '../lab/feed.ts';
import type { Machine } from '../lab/machine.ts';
import { insideNamespaces, runInNamespaces } from '../lab/namespace.ts';
import { inCheckout } from '../lab/paths.ts';
import { PowerOn } from '../lab/power-on.ts';
import { Rack } from '../lab/rack.ts';
import { makeWorkFolder, removeFolder } from '../lab/work-folder.ts';
import { median, table } from './workspace.ts';

const ROUNDS = 3;
const FIRMWARES: readonly (Pick<Machine, 'firmware' | 'start'> & { readonly name: string })[] = [
  { name: 'SeaBIOS PXE', firmware: 'bios', start: 'pxe' },
  { name: 'OVMF PXE', firmware: 'uefi', start: 'pxe' },
  { name: 'OVMF HTTP boot', firmware: 'uefi', start: 'http' },
];

interface Measure {
  readonly totalMs: number;
  readonly oursMs: number;
  readonly servedMs: number;
}

const data = inCheckout('.cache/lab');
if (insideNamespaces()) await measureAll(process.argv[2] ?? '');
else {
  await mkdir(data, { recursive: true });
  await buildImage('installer', data, new AbortController().signal);
  const folder = await makeWorkFolder('bench');
  const inside = [fileURLToPath(import.meta.url), folder];
  process.exitCode = await runInNamespaces(inside, { graceful: false });
  await removeFolder(folder);
}

async function measureAll(folder: string): Promise<void> {
  const rack = await Rack.start({ folder: join(folder, 'rack'), data });
  const measures = FIRMWARES.map((): Measure[] => []);
  try {
    for (let round = 1; round <= ROUNDS; round += 1)
      for (const [i, { name, ...parts }] of FIRMWARES.entries()) {
        const measure = await measureOne(rack, `${parts.firmware}-${parts.start}-${round}`, i, round, parts);
        process.stderr.write(`${name}: ${seconds(measure.totalMs)} s\n`);
        measures[i]?.push(measure);
      }
  } finally {
    await rack.close();
  }
  const rows = FIRMWARES.map(({ name }, i) => {
    const of = (value: (measure: Measure) => number) => seconds(median((measures[i] ?? []).map(value)));
    const firmware = of(({ totalMs, oursMs }) => totalMs - oursMs);
    return [name, of(({ totalMs }) => totalMs), firmware, of(({ oursMs }) => oursMs), of((m) => m.servedMs)];
  });
  process.stdout.write(`${rack.accelerator.name}, ${ROUNDS} times each, medians, seconds\n`);
  process.stdout.write(`${table([['', 'power-on to kernel', 'before us', 'ours', 'served'], ...rows])}\n`);
}

async function measureOne(
  rack: Rack,
  name: string,
  index: number,
  round: number,
  parts: Pick<Machine, 'firmware' | 'start'>,
): Promise<Measure> {
  const guest = await rack.addGuest({ name, mac: `52:54:00:00:0${index}:0${round}`, ...parts });
  return PowerOn.watch(rack, guest, async (boot) => {
    const on = await boot.isOn();
    const kernel = await boot.reachesInstaller();
    const served = boot.served();
    const first = Math.min(...served.map((record) => record.time - durationOf(record)));
    const servedMs = served.reduce((sum, record) => sum + durationOf(record), 0);
    return { totalMs: kernel.at - on.at, oursMs: kernel.at - first, servedMs };
  });
}

/** Each line of the log is written at the end of what it tells. */
function durationOf({ ms, milliseconds }: LogRecord): number {
  return Number(ms ?? milliseconds ?? 0);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
