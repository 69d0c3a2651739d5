import { join } from 'node:path';

/** The folder of a build: its log stays, `work` goes when it ends. */
export function buildFolderOf(dataDir: string, id: string): { folder: string; work: string; log: string } {
  const folder = join(dataDir, 'builds', id);
  return { folder, work: join(folder, 'work'), log: join(folder, 'log') };
}
