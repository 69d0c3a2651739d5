import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from './atomic.ts';
import { buildsFolder, imagesFolder, packFolder } from './places.ts';

/** What the store knows; everything else that carries a name of ours is a left-over of a crash. */
export interface KnownBlobs {
  readonly packIds: ReadonlySet<string>;
  /** `sha256:…` of every stored image. */
  readonly digests: ReadonlySet<string>;
  /** Ids of builds that run now: nothing of theirs is touched. Empty at start. */
  readonly runningBuilds: ReadonlySet<string>;
}

/**
 * Removes packs, image folders and work folders that no row knows. Files whose names are not ours stay.
 * @returns the paths removed
 */
export async function sweep(dataDir: string, known: KnownBlobs): Promise<string[]> {
  const doomed: string[] = [];
  const consider = async (folder: string, isLeftOver: (name: string) => boolean): Promise<void> => {
    const names = await readdir(folder).catch(ifMissing);
    const found = names.filter(isLeftOver).map((name) => join(folder, name));
    for (const path of found) await rm(path, { recursive: true, force: true });
    if (found.length > 0) await syncFolder(folder);
    doomed.push(...found);
  };

  await consider(packFolder(dataDir), (name) => {
    const [, id, temp] = /^([A-Za-z0-9-]+)\.pack(\.tmp)?$/.exec(name) ?? [];
    if (id === undefined || known.runningBuilds.has(id)) return false;
    return temp !== undefined || !known.packIds.has(id);
  });
  // While a build runs, a folder that no row knows may be the one that it is about to commit.
  const quiet = known.runningBuilds.size === 0;
  await consider(imagesFolder(dataDir), (name) => {
    const temp = /^\.tmp-([A-Za-z0-9-]+)$/.exec(name)?.[1];
    if (temp !== undefined) return !known.runningBuilds.has(temp);
    return quiet && /^[0-9a-f]{64}$/.test(name) && !known.digests.has(`sha256:${name}`);
  });
  for (const id of await readdir(buildsFolder(dataDir)).catch(ifMissing))
    if (!known.runningBuilds.has(id))
      await consider(join(buildsFolder(dataDir), id), (name) => name === 'work');
  return doomed;
}

function ifMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
  throw error;
}
