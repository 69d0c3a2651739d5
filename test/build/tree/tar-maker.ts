import { writeFileSync } from 'node:fs';
import { paddingAfter } from '../../../server/build/tree/tar-format.ts';
import type { FileRegion } from '../../../server/build/tree/tar-scan.ts';
import type { NodeType } from '../../../server/filesystems/node.ts';
import { encodeHeaders, TAR_END } from './tar-writer.ts';

export interface Member {
  readonly path: string;
  readonly type?: NodeType | 'hardlink';
  readonly content?: string;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly mtime?: number;
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Other pax records. */
  readonly pax?: Readonly<Record<string, string>>;
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
    pax: new Map(Object.entries(member.pax ?? {})),
  });
  return Buffer.concat([header, content, Buffer.alloc(paddingAfter(content.length))]);
}
