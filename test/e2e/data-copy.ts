import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/** Never altered once they have their names, so a second name is as good as a copy. */
const IMMUTABLE = ['packs', 'images'];

/** Belongs to the server that used the folder before. */
const LOCK = /^lock\.db/;

/**
 * Copies a server's data folder, which no server uses at this moment. @param ownPacks copies the images' bytes too, instead of
 * linking them @returns the copy, `FOLDER/data`
 */
export async function copyData(from: string, folder: string, ownPacks = false): Promise<string> {
  const to = join(folder, 'data');
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (LOCK.test(name)) continue;
    const link = IMMUTABLE.includes(name) && !ownPacks ? ['--link'] : ['--reflink=auto'];
    await execa('cp', ['-a', ...link, join(from, name), to]);
  }
  return to;
}
