import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inCheckout } from './paths.ts';

/**
 * Folders for disks and logs. They lie in the checkout's cache and not in the system's temporary folder: that one is often in
 * memory, and a guest's disk grows to gigabytes.
 */
const PARENT = inCheckout('.cache/work');

/** A new folder, named after this process. Those that earlier runs left behind when they failed or were killed are removed. */
export async function makeWorkFolder(purpose: string): Promise<string> {
  await mkdir(PARENT, { recursive: true });
  // Inside a run of the tests the processes outside have other ids here: none of them can be judged.
  const leftovers = process.env.WARMBOOT_TEST_RUN === undefined ? await readdir(PARENT) : [];
  for (const name of leftovers) {
    const [, owner, pid] = /^([a-z0-9]+)-(\d+)$/.exec(name) ?? [];
    if (owner === purpose && !existsSync(`/proc/${pid}`)) await removeFolder(join(PARENT, name));
  }
  const folder = join(PARENT, `${purpose}-${process.pid}`);
  await removeFolder(folder);
  await mkdir(folder);
  return folder;
}

/** Gives it a name under which no later run removes it. @returns the new path. */
export async function keepFolder(folder: string): Promise<string> {
  const kept = `${folder}-kept`;
  await removeFolder(kept);
  await rename(folder, kept);
  return kept;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
