import { open } from 'node:fs/promises';
import { execa } from 'execa';

/** A disk with something on it: not empty, and nobody's that Warmboot knows. @returns its path */
export async function foreignDisk(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'wx');
  await file.truncate(bytes);
  await file.write(Buffer.from("somebody's data"), 0, 15, 300_000);
  await file.close();
  await execa('/sbin/mke2fs', ['-q', '-F', '-t', 'ext4', '-E', 'offset=2097152', path, '64M']);
  return path;
}
