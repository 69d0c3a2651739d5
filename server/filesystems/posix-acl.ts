import type { Latin1 } from './node.ts';

/** One line of an access control list. */
export interface AclEntry {
  readonly tag: number;
  /** 0 to 7. */
  readonly permissions: number;
  /** Of a user or group; null for the other tags. */
  readonly id: number | null;
}

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const TAG = {
  userObject: 0x01,
  user: 0x02,
  groupObject: 0x04,
  group: 0x08,
  mask: 0x10,
  other: 0x20,
} as const;
/** In which they follow each other. */
const ORDER: readonly number[] = Object.values(TAG);
const REQUIRED: readonly number[] = [TAG.userObject, TAG.groupObject, TAG.other];
const NAMED: readonly number[] = [TAG.user, TAG.group];

/**
 * Reads the xattr `system.posix_acl_…` as archives and system calls have it, and holds it to the kernel's rules: what breaks
 * them would be mended away by fsck. Source: Linux, include/uapi/linux/posix_acl_xattr.h; `posix_acl_valid` in fs/posix_acl.c.
 * @returns no entries for an empty list, which setxattr(2) takes as none; null when it is no such list
 */
export function parsePosixAcl(value: Latin1): readonly AclEntry[] | null {
  const data = Buffer.from(value, 'latin1');
  if (data.length < HEADER_BYTES || data.length % ENTRY_BYTES !== HEADER_BYTES) return null;
  if (data.readUInt32LE(0) !== VERSION) return null;
  const entries: AclEntry[] = [];
  for (let at = HEADER_BYTES; at < data.length; at += ENTRY_BYTES) {
    const tag = data.readUInt16LE(at);
    const permissions = data.readUInt16LE(at + 2);
    if (!ORDER.includes(tag) || permissions > 7) return null;
    entries.push({ tag, permissions, id: NAMED.includes(tag) ? data.readUInt32LE(at + 4) : null });
  }
  return entries.length === 0 || isValid(entries) ? entries : null;
}

function isValid(entries: readonly AclEntry[]): boolean {
  const count = (tag: number) => entries.filter((entry) => entry.tag === tag).length;
  const inOrder = entries.every(({ tag }, i) => {
    const before = entries[i - 1]?.tag ?? 0;
    return tag > before || (tag === before && NAMED.includes(tag));
  });
  const needsMask = NAMED.some((tag) => count(tag) > 0);
  return inOrder && REQUIRED.every((tag) => count(tag) === 1) && (!needsMask || count(TAG.mask) === 1);
}
