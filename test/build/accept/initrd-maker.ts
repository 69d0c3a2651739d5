/** A path, with a slash at the end for a directory; a symlink has a target; all others are programs with that content. */
export interface InitrdEntry {
  readonly path: string;
  readonly link?: string;
  readonly content?: string;
  readonly mode?: number;
}

/** A cpio archive as `cpio -o -H newc` writes it: four-byte padding, a trailer, zeros up to a whole block of 512. */
export function cpioArchive(entries: readonly (InitrdEntry | string)[]): Buffer {
  const all = entries.map((each) => (typeof each === 'string' ? { path: each } : each));
  const parts = [...all.map(encode), member('TRAILER!!!', 0, '')];
  const archive = Buffer.concat(parts);
  return Buffer.concat([archive, Buffer.alloc((512 - (archive.length % 512)) % 512)]);
}

function encode({ path, link, content = path, mode = 0o755 }: InitrdEntry): Buffer {
  if (link !== undefined) return member(path, 0o120777, link);
  if (path.endsWith('/')) return member(path.slice(0, -1), 0o040000 | mode, '');
  return member(path, 0o100000 | mode, content);
}

function member(name: string, mode: number, content: string): Buffer {
  const fields = [1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = `070701${fields.map((each) => each.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.from(pad(header) + pad(content), 'latin1');
}

function pad(text: string): string {
  return text + '\0'.repeat((4 - (text.length % 4)) % 4);
}
