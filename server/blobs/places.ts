import { join } from 'node:path';

/** Where things lie in the data folder. Temporary names begin with a dot or end in `.tmp`; a sweep removes them. */
export function packFolder(dataDir: string): string {
  return join(dataDir, 'packs');
}

/** The frames of one build. @param id letters, digits and dashes */
export function packPath(dataDir: string, id: string): string {
  return join(packFolder(dataDir), `${safeName(id)}.pack`);
}

export function imagesFolder(dataDir: string): string {
  return join(dataDir, 'images');
}

/** Holds index.json, kernel and initrd, and of an installer the loader. @param digest `sha256:…` */
export function imageFolder(dataDir: string, digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new Error(`${digest} is not a digest`);
  return join(imagesFolder(dataDir), hex);
}

/** An image while it is written. */
export function imageTempFolder(dataDir: string, id: string): string {
  return join(imagesFolder(dataDir), `.tmp-${safeName(id)}`);
}

/** A folder for each build: its log, and `work` while it runs. */
export function buildsFolder(dataDir: string): string {
  return join(dataDir, 'builds');
}

// Ids come from the program itself; this is the last line before a path.
function safeName(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,127}$/.test(id)) throw new Error(`${JSON.stringify(id)} is not an id`);
  return id;
}
