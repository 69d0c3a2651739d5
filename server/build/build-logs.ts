import { createReadStream } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildLogs, BuildProgress } from '../core/build-ports.ts';
import { lines } from '../lib/lines.ts';
import { buildFolderOf } from './build-folder.ts';

/** The logs of ended builds, `DATA/builds/ID/log`: JSON lines as their processes wrote them. */
export function buildLogs(dataDir: string): BuildLogs {
  return {
    async *read(id) {
      const file = createReadStream(buildFolderOf(dataDir, id).log);
      try {
        for await (const line of lines(file)) {
          const entry = parse(line);
          if (entry) yield entry;
        }
      } catch (error) {
        // A build that never came so far has no log.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      } finally {
        file.destroy();
      }
    },

    async keepOnly(isKept) {
      const folder = join(dataDir, 'builds');
      const ids = await readdir(folder).catch(() => []);
      for (const id of ids) if (!isKept(id)) await rm(join(folder, id), { recursive: true, force: true });
    },
  };
}

/** Null for a line that was cut off by a crash. */
function parse(line: string): BuildProgress | null {
  try {
    const entry = JSON.parse(line) as BuildProgress;
    return typeof entry.phase === 'string' && typeof entry.message === 'string' ? entry : null;
  } catch {
    return null;
  }
}
