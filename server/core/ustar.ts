/** Plain files as a tar of the POSIX format (pax(1), "ustar Interchange Format"), the same bytes for the same files. */

/** A regular file. Owner and group are names, for numbers differ between systems. */
export type TarFile = {
  /** At most 100 bytes of ASCII. */
  readonly path: string;
  readonly mode: number;
  readonly owner: string;
  readonly group: string;
  readonly content: Uint8Array;
};

const BLOCK = 512;
/** The field of a header: where it begins, and its length. */
const FIELD = {
  path: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  sum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
  owner: [265, 32],
  group: [297, 32],
  major: [329, 8],
  minor: [337, 8],
} as const satisfies Record<string, readonly [number, number]>;
type FieldName = keyof typeof FIELD;

/** No time, no number of a user: only what was said of a file is in it. @param files in the order in which they shall stand */
export function tarOf(files: readonly TarFile[]): Uint8Array<ArrayBuffer> {
  const room = files.reduce((sum, { content }) => sum + BLOCK + padded(content.length), 2 * BLOCK);
  const tar = new Uint8Array(room);
  let at = 0;
  for (const file of files) {
    tar.set(headerOf(file), at);
    tar.set(file.content, at + BLOCK);
    at += BLOCK + padded(file.content.length);
  }
  return tar;
}

/** Reads what `tarOf` has made. @throws Error for anything else */
export function filesOfTar(tar: Uint8Array): readonly TarFile[] {
  const files: TarFile[] = [];
  for (let at = 0; ; ) {
    const header = tar.subarray(at, at + BLOCK);
    if (header.length < BLOCK) throw new Error('a tar without an end');
    if (header.every((byte) => byte === 0)) return files;
    if (number(header, 'sum') !== sumOf(header) || text(header, 'type') !== '0')
      throw new Error('a tar with something else than plain files');
    const size = number(header, 'size');
    const content = tar.subarray(at + BLOCK, at + BLOCK + size);
    if (content.length < size) throw new Error('a tar that was cut');
    files.push({
      path: text(header, 'path'),
      mode: number(header, 'mode'),
      owner: text(header, 'owner'),
      group: text(header, 'group'),
      content,
    });
    at += BLOCK + padded(size);
  }
}

function headerOf({ path, mode, owner, group, content }: TarFile): Uint8Array {
  const header = new Uint8Array(BLOCK);
  write(header, 'path', path);
  write(header, 'mode', octal(mode, 7));
  write(header, 'uid', octal(0, 7));
  write(header, 'gid', octal(0, 7));
  write(header, 'size', octal(content.length, 11));
  write(header, 'mtime', octal(0, 11));
  write(header, 'type', '0');
  write(header, 'magic', 'ustar\u000000');
  write(header, 'owner', owner);
  write(header, 'group', group);
  write(header, 'major', octal(0, 7));
  write(header, 'minor', octal(0, 7));
  write(header, 'sum', `${octal(sumOf(header), 6)}\u0000 `);
  return header;
}

/** Of the whole header, its own field taken as spaces. */
function sumOf(header: Uint8Array): number {
  const [from, length] = FIELD.sum;
  return header.reduce((sum, byte, at) => sum + (at >= from && at < from + length ? 0x20 : byte), 0);
}

function padded(length: number): number {
  return Math.ceil(length / BLOCK) * BLOCK;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function write(header: Uint8Array, field: FieldName, value: string): void {
  const [at] = FIELD[field];
  for (let index = 0; index < value.length; index += 1) header[at + index] = value.charCodeAt(index);
}

function text(header: Uint8Array, field: FieldName): string {
  const [at, length] = FIELD[field];
  const bytes = header.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}

function number(header: Uint8Array, field: FieldName): number {
  return Number.parseInt(text(header, field), 8);
}
