import { access, constants, statfs } from 'node:fs/promises';
import path from 'node:path';
import { type Finding, ok, problem, warning } from '../core/finding.ts';

const GIB = 1024 ** 3;
/** An OS image takes some hundred MiB, its Docker layers twice that while it is built. */
const TOO_LITTLE_BYTES = 2 * GIB;
/** A handful of images and their former versions. */
const TIGHT_BYTES = 10 * GIB;

/** Room and rights in the data folder; while it does not exist, in the nearest folder that does. */
export async function dataFolderFindings(dataDir: string): Promise<Finding[]> {
  const folder = await nearestFolder(dataDir);
  const isWritable = await access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  const where =
    folder === dataDir ? `the data folder ${dataDir}` : `${folder}, where the data folder will be made,`;
  if (!isWritable)
    return [
      problem(
        'data-folder',
        `${where} cannot be written by this user`,
        'Run as its owner or as root, or choose another --data.',
      ),
    ];
  return [spaceFinding('data-space', where, await freeBytes(folder))];
}

/** @param where in words; @param free bytes that a user may still take, and of how many */
export function spaceFinding(check: string, where: string, free: { free: number; total: number }): Finding {
  const text = `${where} has ${gib(free.free)} free of ${gib(free.total)}`;
  const make =
    'Remove images (warmboot image rm NAME), old Docker layers (docker system prune), or choose another --data.';
  if (free.free < TOO_LITTLE_BYTES) return problem(check, `${text}: too little for any image`, make);
  if (free.free < TIGHT_BYTES) return warning(check, `${text}, which is little for images`, make);
  return ok(check, text);
}

async function freeBytes(folder: string): Promise<{ free: number; total: number }> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { free: bavail * bsize, total: blocks * bsize };
}

async function nearestFolder(folder: string): Promise<string> {
  const exists = await access(folder).then(
    () => true,
    () => false,
  );
  const above = path.dirname(folder);
  return exists || above === folder ? folder : nearestFolder(above);
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
