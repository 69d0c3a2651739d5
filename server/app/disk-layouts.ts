import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseDiskLayout } from '../contract/image-json.ts';
import type { DiskLayout } from '../core/disk-layout.ts';
import { WarmbootError } from '../core/errors.ts';

/** Every `images/disks/NAME.json`, by name. */
export async function diskLayouts(folder: string): Promise<ReadonlyMap<string, DiskLayout>> {
  const found = await readdir(folder).catch((error: Error) => {
    throw new WarmbootError(
      'invalid',
      `The folder of disk layouts cannot be read: ${error.message}. Give --images a folder that has disks/.`,
    );
  });
  const names = found.filter((name) => name.endsWith('.json')).sort();
  const layouts = names.map(async (file): Promise<[string, DiskLayout]> => {
    const name = path.basename(file, '.json');
    const read = parseDiskLayout(await readFile(path.join(folder, file), 'utf8'));
    if (!read.ok)
      throw new WarmbootError('invalid', `The disk layout ${file} is wrong: ${read.faults.join('; ')}.`);
    return [name, { name, ...read.value }];
  });
  return new Map(await Promise.all(layouts));
}
