/** What a backup holds: a tar of these members, `backup.json` first and `SHA256SUMS` last, so that one that was cut off is known. */

export type BackupNote = {
  readonly format: 'warmboot-backup';
  readonly version: 1;
  /** Of the database in it: the number of its newest migration. */
  readonly schema: number;
  /** Version of the program that made it. */
  readonly product: string;
  /** Milliseconds since 1970, taken before the database was read. */
  readonly madeAt: number;
  /** Id of the newest event in it. */
  readonly lastEvent: number;
  readonly hosts: number;
  readonly images: number;
  /** Whether the images' bytes are in it, or only their rows. */
  readonly withImages: boolean;
};

export const NOTE = 'backup.json';
export const DATABASE = 'warmboot.db';
export const FIRST_TOKEN = 'admin.token';
export const SUMS = 'SHA256SUMS';

const SECRET = /^keys\/(tls\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/;
const PACK = /^packs\/[A-Za-z0-9-]{1,80}\.pack$/;
const IMAGE_FILE = /^images\/[0-9a-f]{64}\/(index\.json|kernel|initrd|loader)$/;

/** Whether a name may stand in a backup between its first and its last member. No other is ever made a path of. */
export function isMember(name: string): boolean {
  return (
    name === DATABASE || name === FIRST_TOKEN || SECRET.test(name) || PACK.test(name) || IMAGE_FILE.test(name)
  );
}

/** As sha256sum(1) writes and checks it. */
export function sumLine(name: string, sha256: string): string {
  return `${sha256}  ${name}\n`;
}

/** @returns name → sha256; null for what is no list of sums */
export function readSums(text: string): ReadonlyMap<string, string> | null {
  const lines = text.split('\n');
  if (lines.pop() !== '') return null;
  const found = lines.map((line) => /^([0-9a-f]{64}) {2}(.+)$/.exec(line));
  if (found.some((match) => match === null)) return null;
  return new Map(found.map((match) => [match?.[2] ?? '', match?.[1] ?? '']));
}

/**
 * Why a backup cannot be restored by this program, here and now.
 * @param newest the schema that this program knows
 */
export function noteFault(
  { schema, madeAt, product }: BackupNote,
  newest: number,
  now: number,
): string | null {
  if (schema > newest)
    return `it has schema ${schema} and this Warmboot knows ${newest}: a newer one made it (${product}). Restore it with that version.`;
  if (madeAt > now)
    return `it was made at ${new Date(madeAt).toISOString()}, and the clock of this machine says that it is earlier. Set the clock: hosts refuse what is older than what they have seen.`;
  return null;
}
