import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { UploadFiles } from '../core/file-ports.ts';
import { syncFile } from './atomic.ts';
import { draftImage } from './image-draft.ts';

/** Uploads are drafts as builds are: temporary names, swept after a crash, visible only when committed. */
export function uploadFiles(dataDir: string): UploadFiles {
  return {
    async begin(id, indexText) {
      const draft = await draftImage(dataDir, id);
      const written = new Set<string>();
      return {
        async writeFile(name, offset, limit, body) {
          const path = join(draft.folder, name);
          const file = await open(path, written.has(name) ? 'r+' : 'wx');
          written.add(name);
          let at = offset;
          try {
            for await (const part of body) {
              if (at + part.length > limit) return null;
              for (let done = 0; done < part.length; )
                done += (await file.write(part, done, part.length - done, at + done)).bytesWritten;
              at += part.length;
            }
            return at;
          } finally {
            await file.close();
          }
        },
        append: draft.append,
        async seal() {
          for (const name of written) await syncFile(join(draft.folder, name));
          return draft.seal({ 'index.json': indexText });
        },
        discard: draft.discard,
      };
    },
  };
}
