import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/**
 * Files of the e2e tests run side by side, a lane each. A lane has a data folder of its own, for a data folder has one server at
 * a time; and the files that run in it, one after another, know each other's machines.
 */
export const LANES = 2;

/** Never altered once they have their names, so a second name is as good as a copy. */
const IMMUTABLE = ['packs', 'images'];

/** Of the server that had the folder before. */
const ITS_SERVERS = /^lock\.db/;

/** Where the lane of this process, a worker of vitest, has what it needs. */
export function laneFolder(folder: string): string {
  return join(folder, `lane-${process.env.VITEST_POOL_ID}`);
}

/** @returns the server's data folder in a lane */
export function laneData(lane: string): string {
  return join(lane, 'data');
}

/** Makes each lane's folder, with the images of a data folder that no server is using. */
export async function makeLanes(folder: string, data: string): Promise<void> {
  for (let lane = 1; lane <= LANES; lane++) {
    const to = laneData(join(folder, `lane-${lane}`));
    await mkdir(to, { recursive: true });
    for (const name of await readdir(data)) {
      if (ITS_SERVERS.test(name)) continue;
      const how = IMMUTABLE.includes(name) ? ['-a', '--link'] : ['-a'];
      await execa('cp', [...how, join(data, name), to]);
    }
  }
}
