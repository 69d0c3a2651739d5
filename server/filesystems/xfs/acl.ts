import type { Latin1 } from '../node.ts';
import type { AclEntry } from '../posix-acl.ts';

const UNDEFINED_ID = 0xffffffff;
const ENTRY_BYTES = 12;

/** An ACL as XFS keeps it: a count; tag, id, permissions of each entry; big-endian. Source: Linux, fs/xfs/xfs_acl.c */
export function toXfsAcl(entries: readonly AclEntry[]): Latin1 {
  const acl = Buffer.alloc(4 + entries.length * ENTRY_BYTES);
  acl.writeUInt32BE(entries.length, 0);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    const at = 4 + i * ENTRY_BYTES;
    acl.writeUInt32BE(tag, at);
    acl.writeUInt32BE(id ?? UNDEFINED_ID, at + 4);
    acl.writeUInt16BE(permissions, at + 8);
  }
  return acl.toString('latin1');
}
