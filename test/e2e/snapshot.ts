import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import type { HostView } from '../../lab/feed.ts';
import { probeAccelerator } from '../../lab/kvm.ts';
import { inCheckout } from '../../lab/paths.ts';
import { until } from '../../lab/wait.ts';
import { copyData } from './data-copy.ts';
import { image, newGuest, plan, startRack } from './support.ts';

/** The machine of the snapshot. */
export const SNAPSHOT_PARTS = { name: 'one', firmware: 'bios' } as const;

/** What it runs, in slot a of two. */
export const FIRST_IMAGE = 'debian-13';

/** A host that is installed and confirmed: memory and disk of the machine, and the server that knows it. */
export interface InstalledHost {
  /** For `Guest`: memory and disk. */
  readonly folder: string;
  /** The server's data folder. */
  readonly data: string;
  readonly mac: string;
  readonly leases: [address: string, mac: string][];
}

/** Decide, beside the images, what the snapshot holds. Host code is part of the images. */
const SOURCES = ['migrations', 'lab/machine-arguments.ts', 'lab/machine.ts', 'lab/kvm.ts'];

/** Snapshots of earlier runs stay in the checkout's cache; one of other content makes room for the new one. */
const CACHE = inCheckout('.cache/snapshots');

/** The snapshot of this content: made by the first file that asks, while others wait for it. */
export async function installedHost(): Promise<InstalledHost> {
  const folder = join(CACHE, await contentKey());
  const note = join(folder, 'host.json');
  const read = async () => {
    const text = await readFile(note, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as InstalledHost);
  };
  const found = await read();
  if (found !== undefined) return found;
  // In the run's own folder: what a killed run leaves there holds no later run up.
  const claim = await open(join(plan().folder, 'snapshot.claim'), 'wx').catch(() => undefined);
  if (claim === undefined)
    return until(read, { what: 'the snapshot that another file makes', timeoutMs: 20 * 60_000 });
  await claim.close();
  return makeSnapshot(folder);
}

async function makeSnapshot(folder: string): Promise<InstalledHost> {
  await rm(CACHE, { recursive: true, force: true });
  const made = `${folder}.new`;
  await mkdir(made, { recursive: true });
  const rack = await startRack('snapshot');
  try {
    const { guest, story } = await newGuest(rack, SNAPSHOT_PARTS.name, SNAPSHOT_PARTS);
    await story.enrol(image(FIRST_IMAGE));
    await story.install(image(FIRST_IMAGE));
    await until(async () => isAtRest(await rack.api.host(guest.mac)) || undefined, {
      what: 'the rest of the installed machine',
      timeoutMs: rack.patience(60),
    });
    // The agent notices that its long poll is cut, and asks again within seconds of the restore.
    await rack.server.kill();
    await sleep(3_000);
    await guest.save(made);
    await copyData(join(plan().folder, 'snapshot/data'), made);
    const host = { folder, data: join(folder, 'data'), mac: guest.mac, leases: rack.dhcp.leases() };
    await writeFile(join(made, 'host.json'), JSON.stringify(host));
    await rename(made, folder);
    return host;
  } finally {
    await rack.close();
  }
}

/** In an OS that is the boot default, on no trial, with nothing left to do. */
export function isAtRest({ observation, attempt }: HostView): boolean {
  if (observation === null || attempt?.outcome === null) return false;
  const { environment, trial, slot } = observation;
  return environment === 'os' && !trial && slot !== null && observation.default === slot;
}

async function contentKey(): Promise<string> {
  const hash = createHash('sha256');
  const { stdout } = await execa('qemu-system-x86_64', ['--version']);
  const { name } = await probeAccelerator();
  hash.update(JSON.stringify([stdout, name, image('installer').digest, image(FIRST_IMAGE).digest]));
  for (const source of SOURCES) {
    const path = inCheckout(source);
    const files = await readdir(path).catch(() => ['']);
    for (const file of files.toSorted()) hash.update(await readFile(join(path, file)));
  }
  return hash.digest('hex').slice(0, 32);
}
