/** A host's file set as ustar, and everything that a hostile one could say instead. */

export interface SetFile {
  readonly path: string;
  readonly content?: string | Buffer;
  readonly mode?: number | string;
  readonly owner?: string;
  readonly group?: string;
  readonly type?: string;
  readonly link?: string;
  /** What the header says of the length, if not the truth. */
  readonly size?: string;
  readonly magic?: string;
  readonly checksum?: number;
  /** In the header's prefix, which comes before the path. */
  readonly prefix?: string;
}

const BLOCK = 512;
export const SET_END = Buffer.alloc(2 * BLOCK);

export function fileSet(files: readonly SetFile[], end = SET_END): Buffer {
  return Buffer.concat([...files.flatMap(member), end]);
}

function member(file: SetFile): Buffer[] {
  const content = Buffer.from(file.content ?? '');
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  header.write(file.path, 0, 100, 'latin1');
  header.write(typeof file.mode === 'string' ? file.mode : octal(file.mode ?? 0o644, 7), 100, 8, 'latin1');
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(file.size ?? octal(content.length, 11), 124, 12, 'latin1');
  header.write(octal(0, 11), 136);
  header.write(file.type ?? '0', 156, 1, 'latin1');
  header.write(file.link ?? '', 157, 100, 'latin1');
  header.write(file.magic ?? 'ustar\0' + '00', 257, 8, 'latin1');
  header.write(file.owner ?? 'root', 265, 32, 'latin1');
  header.write(file.group ?? file.owner ?? 'root', 297, 32, 'latin1');
  header.write(file.prefix ?? '', 345, 155, 'latin1');
  header.fill(' ', 148, 156);
  const sum = file.checksum ?? header.reduce((all, byte) => all + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148, 8, 'latin1');
  return [header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)];
}
