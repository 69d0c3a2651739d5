/** One entry of a folder; `cluster` is 0 for an empty file. */
export interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly cluster: number;
  readonly bytes: number;
}

const ENTRY_BYTES = 32;
const LONG_CHARACTERS = 13;
const ATTRIBUTE = { volume: 0x08, folder: 0x10, archive: 0x20, long: 0x0f } as const;
/** 1980-01-01, the first day that FAT knows: a composed disk is the same on every day. */
const DATE = 0x0021;

/** Length of a folder's entries in bytes. */
export function directoryBytes(names: readonly string[], otherEntries: number): number {
  const entries = names.reduce((sum, name) => sum + 1 + longEntries(name), otherEntries);
  return entries * ENTRY_BYTES;
}

/** The names that a FAT folder takes and that this writer makes: ASCII, and none of what FAT or a shell treats as special. */
export function isFatName(name: string): boolean {
  return /^[A-Za-z0-9_-][A-Za-z0-9._ -]{0,200}$/.test(name) && !/[. ]$/.test(name);
}

/**
 * The entries of a folder (Microsoft FAT specification 1.03, "FAT Directory Structure" and "FAT Long Directory Entries").
 * @param own for the root the volume's label; for another folder its own cluster and its parent's (0: the root)
 */
export function directoryContent(
  own: { readonly label: string } | { readonly self: number; readonly parent: number },
  entries: readonly Entry[],
): Uint8Array {
  const parts: Uint8Array[] = [];
  if ('label' in own) parts.push(shortEntry(own.label.padEnd(11), ATTRIBUTE.volume, 0, 0));
  else {
    parts.push(shortEntry('.'.padEnd(11), ATTRIBUTE.folder, own.self, 0));
    parts.push(shortEntry('..'.padEnd(11), ATTRIBUTE.folder, own.parent, 0));
  }
  const taken = new Set<string>();
  for (const { name, isFolder, cluster, bytes } of entries) {
    const short = shortName(name, taken);
    taken.add(short);
    if (longEntries(name) > 0) parts.push(...longNameEntries(name, checksum(short)));
    parts.push(shortEntry(short, isFolder ? ATTRIBUTE.folder : ATTRIBUTE.archive, cluster, bytes));
  }
  const content = new Uint8Array(parts.length * ENTRY_BYTES);
  for (const [index, part] of parts.entries()) content.set(part, index * ENTRY_BYTES);
  return content;
}

const PLAIN = /^([A-Z0-9_-]{1,8})(?:\.([A-Z0-9_-]{1,3}))?$/;

/** How many entries a long name takes before the short one; a name that is a short one as it stands needs none. */
function longEntries(name: string): number {
  return PLAIN.test(name) ? 0 : Math.ceil(name.length / LONG_CHARACTERS);
}

/** Eleven characters, the dot left out: the name itself in capitals where it fits, else a part of it with a number. */
function shortName(name: string, taken: ReadonlySet<string>): string {
  const plain = PLAIN.exec(name.toUpperCase());
  const wish = plain ? `${plain[1]?.padEnd(8)}${(plain[2] ?? '').padEnd(3)}` : null;
  if (wish !== null && !taken.has(wish)) return wish;
  const dot = name.lastIndexOf('.');
  const clean = (text: string) => text.toUpperCase().replaceAll(/[^A-Z0-9_-]/g, '');
  const base = clean(dot > 0 ? name.slice(0, dot) : name) || '_';
  const extension = (dot > 0 ? clean(name.slice(dot + 1)) : '').slice(0, 3).padEnd(3);
  for (let number = 1; ; number += 1) {
    const tail = `~${number}`;
    const candidate = `${(base.slice(0, 8 - tail.length) + tail).padEnd(8)}${extension}`;
    if (!taken.has(candidate)) return candidate;
  }
}

function shortEntry(name: string, attribute: number, cluster: number, bytes: number): Uint8Array {
  const entry = new Uint8Array(ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  entry.set(ascii(name));
  entry[11] = attribute;
  view.setUint16(16, DATE, true); // made
  view.setUint16(18, DATE, true); // read
  view.setUint16(20, cluster >>> 16, true);
  view.setUint16(24, DATE, true); // written
  view.setUint16(26, cluster & 0xffff, true);
  view.setUint32(28, bytes, true);
  return entry;
}

/** The last part of the name comes first. */
function longNameEntries(name: string, sum: number): Uint8Array[] {
  const count = longEntries(name);
  const units = Array.from({ length: count * LONG_CHARACTERS }, (_, i) =>
    i < name.length ? name.charCodeAt(i) : i === name.length ? 0 : 0xffff,
  );
  const places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
  const entries = Array.from({ length: count }, (_, index) => {
    const entry = new Uint8Array(ENTRY_BYTES);
    const view = new DataView(entry.buffer);
    entry[0] = (index + 1) | (index === count - 1 ? 0x40 : 0);
    entry[11] = ATTRIBUTE.long;
    entry[13] = sum;
    for (const [i, at] of places.entries())
      view.setUint16(at, units[index * LONG_CHARACTERS + i] ?? 0xffff, true);
    return entry;
  });
  return entries.reverse();
}

/** Binds the long name to its short one. */
function checksum(short: string): number {
  return ascii(short).reduce((sum, byte) => (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff, 0);
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
