import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { neededNbps } from '../core/client-architecture.ts';
import { fileOf, type TftpFile, type TftpFiles, type TftpRefusal } from './files.ts';

/** Network boot programs (NBPs) out of folders of the operator's choice: the `ipxe` package's, or one of one's own. */

/** The only names ever looked for. Debian's names, and those of iPXE's own build folders. */
export const NBP_NAMES: readonly string[] = [
  'undionly.kpxe',
  'undionly.kkpxe',
  'ipxe.pxe',
  'ipxe.lkrn',
  'ipxe.efi',
  'ipxe-amd64.efi',
  'ipxe-x86_64.efi',
  'ipxe-arm64.efi',
  'snponly.efi',
  'snponly-x86_64.efi',
  'snponly-arm64.efi',
];

/** Of the package `ipxe` (Debian, Ubuntu). */
const PACKAGE_FOLDERS: readonly string[] = ['/usr/lib/ipxe'];

/** @param own folders of the operator's choice, which come first */
export function nbpFolders(own: readonly string[]): readonly string[] {
  return [...own, ...PACKAGE_FOLDERS];
}

/** They are read whole and shared by all transfers: 1,000 machines that boot at once read the disk once. */
const MAX_NBP_BYTES = 16 * 1024 * 1024;

export type NbpFolder = {
  /** For TFTP, HTTP and `doctor` alike. @returns the path on disk, or null for every name not allowed or not there */
  find(name: string): Promise<string | null>;
  /** Names from the architecture table that are in none of the folders. */
  missing(): Promise<string[]>;
  readonly files: TftpFiles;
};

/** @param folders searched in this order, at each request, so that a package installed later is found without a restart */
export function nbpFolder(folders: readonly string[]): NbpFolder {
  const read = sharedReads();

  async function find(name: string): Promise<string | null> {
    if (!NBP_NAMES.includes(name)) return null;
    const roots = await Promise.all(folders.map((folder) => realpath(folder).catch(() => null)));
    for (const root of roots) {
      const path = root && (await realpath(join(root, name)).catch(() => null));
      // A link (Debian's ipxe.efi is one) may lead to another file of these folders, never outside.
      if (!path || !roots.includes(dirname(path))) continue;
      if (await isReadableFile(path)) return path;
    }
    return null;
  }

  async function missing(): Promise<string[]> {
    const found = await Promise.all(neededNbps().map(async (name) => [name, await find(name)] as const));
    return found.filter(([, path]) => path === null).map(([name]) => name);
  }

  async function files(name: string): Promise<TftpFile | TftpRefusal | null> {
    const path = await find(name);
    if (path !== null) return fileOf(await read(path));
    if (!NBP_NAMES.includes(name))
      return { refused: `${basename(name).slice(0, 40)} is not served here`, code: 1 };
    return { refused: `${name} is not installed on the server`, code: 1 };
  }

  return { find, missing, files };
}

async function isReadableFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true && found.size > 0 && found.size <= MAX_NBP_BYTES;
}

/** File contents by path, kept while size, time and inode stay the same. */
function sharedReads(): (path: string) => Promise<Buffer> {
  const kept = new Map<string, { readonly version: string; readonly content: Promise<Buffer> }>();
  return async (path) => {
    const { size, mtimeMs, ino } = await stat(path);
    const version = `${size} ${mtimeMs} ${ino}`;
    const known = kept.get(path);
    if (known?.version === version) return known.content;
    const content = readFile(path);
    kept.set(path, { version, content });
    content.catch(() => kept.delete(path));
    return content;
  };
}
