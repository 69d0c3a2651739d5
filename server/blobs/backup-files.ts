import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FIRST_TOKEN, isMember } from '../core/backup.ts';
import type { BackupFiles, BackupMember, HeldMembers } from '../core/backup-port.ts';
import { packPath } from './places.ts';

const PART_BYTES = 256 * 1024;

/** The files of a data folder that a backup takes along. They are opened before a byte is sent: none can be taken away then. */
export function backupFiles(dataDir: string): BackupFiles {
  return {
    async secrets() {
      const keys = await readdir(join(dataDir, 'keys'), { recursive: true, withFileTypes: true });
      const names = keys
        .filter((entry) => entry.isFile() && !entry.name.endsWith('.tmp'))
        .map(({ parentPath, name }) => join(parentPath, name).slice(dataDir.length + 1))
        .filter(isMember)
        .sort();
      return hold(dataDir, [FIRST_TOKEN, ...names]);
    },
    async images({ packIds, digests }) {
      const packs = packIds.map((id) => packPath('', id));
      const folders = digests.map((digest) => `images/${digest.slice('sha256:'.length)}`);
      const files = ['index.json', 'kernel', 'initrd'];
      const always = folders.flatMap((folder) => files.map((file) => `${folder}/${file}`));
      const wanted = [...packs, ...always];
      // Of an installer alone.
      const some = folders.map((folder) => `${folder}/loader`);
      const held = await hold(dataDir, [...wanted, ...some]);
      const found = new Set(held.members.map(({ name }) => name));
      return { ...held, missing: wanted.filter((name) => !found.has(name)).length };
    },
  };
}

/** Opens those that are there. */
async function hold(dataDir: string, names: readonly string[]): Promise<HeldMembers> {
  const files: FileHandle[] = [];
  const release = async () => {
    for (const file of files.splice(0)) await file.close();
  };
  const members: BackupMember[] = [];
  try {
    for (const name of names) {
      const file = await open(join(dataDir, name), 'r').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
      if (file === null) continue;
      files.push(file);
      members.push(await heldFile(name, file));
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { members, release };
}

/** An open file as it is now; whoever opened it closes it. */
export async function heldFile(name: string, file: FileHandle): Promise<BackupMember> {
  const { size } = await file.stat();
  return {
    name,
    sizeBytes: size,
    async *read() {
      const buffer = Buffer.allocUnsafe(Math.min(PART_BYTES, Math.max(size, 1)));
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
        if (bytesRead === 0) throw new Error(`${name} has become shorter while it was read.`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    },
  };
}
