import { writeFileSync } from 'node:fs';
import type { NodeType } from '../../server/build/tar-format.ts';
import { encodeHeaders, paddingAfter, TAR_END } from '../../server/build/tar-format.ts';
import type { FileRegion } from '../../server/build/tar-scan.ts';

export interface Member {
  readonly path: string;
  readonly type?: NodeType | 'hardlink';
  readonly content?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly mtime?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
}

/** Shorthand: a path with a slash at the end is a directory. */
export function writeTar(file: string, members: readonly (Member | string)[]): FileRegion {
  const parts = members.map((each) => (typeof each === 'string' ? { path: each } : each)).map(encode);
  const data = Buffer.concat([...parts, TAR_END]);
  writeFileSync(file, data);
  return { path: file, offset: 0, bytes: data.length };
}

function encode(member: Member): Buffer {
  const type = member.type ?? (member.path.endsWith('/') ? 'directory' : 'file');
  const content = type === 'file' ? Buffer.from(member.content ?? member.path, 'latin1') : Buffer.alloc(0);
  const header = encodeHeaders({
    path: member.path.replace(/\/$/, ''),
    type,
    mode: member.mode ?? (type === 'directory' ? 0o755 : 0o644),
    uid: member.uid ?? 0,
    gid: 0,
    mtime: member.mtime ?? 1000,
    size: content.length,
    link: member.link ?? '',
    major: type === 'character' || type === 'block' ? 5 : 0,
    minor: type === 'character' || type === 'block' ? 1 : 0,
    xattrs: new Map(Object.entries(member.xattrs ?? {})),
  });
  return Buffer.concat([otherXattrs(member), header, content, Buffer.alloc(paddingAfter(content.length))]);
}

/** A pax header with the xattrs that the product never writes, only reads. */
function otherXattrs({ xattrs = {} }: Member): Buffer {
  const records = Object.entries(xattrs)
    .filter(([name]) => name !== 'security.capability')
    .map(([name, value]) => {
      const body = ` SCHILY.xattr.${name}=${value}\n`;
      const digits = String(body.length + 2).length;
      return `${body.length + digits}${body}`;
    });
  if (records.length === 0) return Buffer.alloc(0);
  const data = Buffer.from(records.join(''), 'latin1');
  const header = Buffer.alloc(512);
  header.write('pax\0', 0);
  header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        x', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc(paddingAfter(data.length))]);
}
