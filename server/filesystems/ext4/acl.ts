import type { Latin1 } from '../node.ts';

const TAR_VERSION = 2;
const TAR_ENTRY = 8;
const DISK_VERSION = 1;
const KINDS_WITH_ID = [0x02, 0x08];
const KINDS = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20];

/**
 * A POSIX ACL as ext4 keeps it: entries of 4 bytes, of 8 where they name a user or group.
 * @param value as the xattr `system.posix_acl_…` has it in an archive and in system calls: version 2, entries of 8 bytes
 * @returns null when it is none. Source: Linux, include/uapi/linux/posix_acl_xattr.h and fs/ext4/acl.h
 */
export function aclOnDisk(value: Latin1): Latin1 | null {
  const from = Buffer.from(value, 'latin1');
  if (from.length < 4 || (from.length - 4) % TAR_ENTRY !== 0 || from.readUInt32LE(0) !== TAR_VERSION)
    return null;
  const parts = [Buffer.from([DISK_VERSION, 0, 0, 0])];
  for (let at = 4; at < from.length; at += TAR_ENTRY) {
    const kind = from.readUInt16LE(at);
    if (!KINDS.includes(kind) || from.readUInt16LE(at + 2) > 7) return null;
    parts.push(from.subarray(at, at + (KINDS_WITH_ID.includes(kind) ? 8 : 4)));
  }
  return Buffer.concat(parts).toString('latin1');
}
