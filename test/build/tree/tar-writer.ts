import { paddingAfter, TAR_BLOCK } from '../../../server/build/tree/tar-format.ts';
import type { Latin1, NodeType } from '../../../server/filesystems/node.ts';

/** A member as a test wants it written. */
export interface TarEntry {
  readonly path: Latin1;
  readonly type: NodeType | 'hardlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly size: number;
  readonly link: Latin1;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<Latin1, Latin1>;
  readonly pax: ReadonlyMap<Latin1, Latin1>;
}

const FLAGS: Readonly<Record<NodeType | 'hardlink', string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** The headers of a member: GNU long names, xattrs as pax records. */
export function encodeHeaders(entry: TarEntry): Buffer {
  const parts: Buffer[] = [];
  const records = [
    ...[...entry.xattrs].map(([name, value]) => paxRecord(`SCHILY.xattr.${name}`, value)),
    ...[...entry.pax].map(([key, value]) => paxRecord(key, value)),
  ];
  if (records.length > 0) {
    const data = Buffer.concat(records);
    parts.push(ustar({ ...PLAIN, path: '././@PaxHeader', size: data.length }, 'x'), padded(data));
  }
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  for (const [flag, name] of [
    ['K', entry.link],
    ['L', path],
  ] as const) {
    if (name.length <= 100) continue;
    const data = Buffer.from(`${name}\0`, 'latin1');
    parts.push(ustar({ ...PLAIN, path: '././@LongLink', size: data.length }, flag), padded(data));
  }
  parts.push(ustar({ ...entry, path }, FLAGS[entry.type]));
  return Buffer.concat(parts);
}

/** The end of an archive: two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

const PLAIN = { mode: 0o644, uid: 0, gid: 0, mtime: 0, link: '', major: 0, minor: 0 };

function ustar(entry: Omit<TarEntry, 'type' | 'xattrs' | 'pax'>, flag: string): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  block.write(entry.path.slice(0, 100), 0, 'latin1');
  putNumber(block, 100, 8, entry.mode);
  putNumber(block, 108, 8, entry.uid);
  putNumber(block, 116, 8, entry.gid);
  putNumber(block, 124, 12, entry.size);
  putNumber(block, 136, 12, entry.mtime);
  block.write(flag, 156, 'latin1');
  block.write(entry.link.slice(0, 100), 157, 'latin1');
  block.write('ustar  \0', 257, 'latin1');
  putNumber(block, 329, 8, entry.major);
  putNumber(block, 337, 8, entry.minor);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc(paddingAfter(data.length))]);
}

/** "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
function paxRecord(key: Latin1, value: Latin1): Buffer {
  const body = ` ${key}=${value}\n`;
  let length = body.length;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.from(`${length}${body}`, 'latin1');
}

function putNumber(block: Buffer, offset: number, length: number, value: number): void {
  if (value >= 0 && value < 8 ** (length - 1)) {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
    return;
  }
  let rest = value;
  for (let i = length - 1; i > 0; i -= 1) {
    block[offset + i] = ((rest % 256) + 256) % 256;
    rest = Math.floor(rest / 256);
  }
  block[offset] = value < 0 ? 0xff : 0x80;
}
