import type { Latin1 } from '../node.ts';

/** Tags of entries that name a user or a group. */
const NAMED = new Set([0x02, 0x08]);
const UNDEFINED_ID = 0xffffffff;

/**
 * An access control list as XFS keeps it (count; tag, id, permissions; big-endian) from the attribute `system.posix_acl_*`
 * (version 2; tag, permissions, id; little-endian). Null when it is not one. Source: Linux `posix_acl_xattr.h`, `xfs_acl.c`.
 */
export function toXfsAcl(value: Latin1): Latin1 | null {
  const from = Buffer.from(value, 'latin1');
  if (from.length < 4 || from.length % 8 !== 4 || from.readUInt32LE(0) !== 2) return null;
  const count = (from.length - 4) / 8;
  const to = Buffer.alloc(4 + count * 12);
  to.writeUInt32BE(count, 0);
  for (let i = 0; i < count; i += 1) {
    const at = 4 + i * 8;
    const tag = from.readUInt16LE(at);
    to.writeUInt32BE(tag, 4 + i * 12);
    to.writeUInt32BE(NAMED.has(tag) ? from.readUInt32LE(at + 4) : UNDEFINED_ID, 8 + i * 12);
    to.writeUInt16BE(from.readUInt16LE(at + 2), 12 + i * 12);
  }
  return to.toString('latin1');
}
