import { type FileHandle, open } from 'node:fs/promises';
import { DamageError } from './damage.ts';
import { packPath } from './places.ts';

/** Packs opened for one reading; dispose it to close them. */
export interface PackFiles extends AsyncDisposable {
  /** Fills `target` from a place in a pack. @throws DamageError when the pack is missing or ends before */
  read(packId: string, offset: number, target: Uint8Array): Promise<void>;
}

/** @param suffix of the name, for packs that have not been published yet */
export function openPacks(dataDir: string, suffix: '' | '.tmp' = ''): PackFiles {
  const files = new Map<string, FileHandle>();

  async function file(packId: string): Promise<FileHandle> {
    const present = files.get(packId);
    if (present) return present;
    const opened = await open(packPath(dataDir, packId) + suffix, 'r').catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') throw new DamageError(packId, `pack ${packId} is missing`);
        throw error;
      },
    );
    files.set(packId, opened);
    return opened;
  }

  return {
    async read(packId, offset, target) {
      const handle = await file(packId);
      for (let at = 0; at < target.length; ) {
        const { bytesRead } = await handle.read(target, at, target.length - at, offset + at);
        if (bytesRead === 0)
          throw new DamageError(packId, `pack ${packId} ends at ${offset + at}, within a frame`);
        at += bytesRead;
      }
    },
    async [Symbol.asyncDispose]() {
      for (const handle of files.values()) await handle.close();
      files.clear();
    },
  };
}
