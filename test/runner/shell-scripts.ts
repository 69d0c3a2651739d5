import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const SKIPPED = new Set(['node_modules', '.git', '.cache', 'data']);

/** Every shell script below `folder`: by its first line, whatever its name. */
export async function shellScripts(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED.has(entry.name)) found.push(...(await shellScripts(path)));
    if (entry.isFile() && isShell(await firstLine(path))) found.push(path);
  }
  return found.sort();
}

/** Scripts that are only sourced have no `#!` line and tell shellcheck their dialect instead. */
function isShell(line: string): boolean {
  return /^#!.*\b(sh|bash|dash)\b/.test(line) || /^# shellcheck shell=/.test(line);
}

async function firstLine(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(128), 0, 128, 0);
    return buffer.subarray(0, bytesRead).toString('latin1').split('\n')[0] ?? '';
  } finally {
    await file.close();
  }
}
