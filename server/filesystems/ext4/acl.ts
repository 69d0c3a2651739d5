import type { Latin1 } from '../node.ts';
import type { AclEntry } from '../posix-acl.ts';

const VERSION = 1;

/** An ACL as ext4 keeps it: entries of 4 bytes, of 8 where they name a user or group. Source: Linux, fs/ext4/acl.h */
export function aclOnDisk(entries: readonly AclEntry[]): Latin1 {
  const parts = entries.map(({ tag, permissions, id }) => {
    const entry = Buffer.alloc(id === null ? 4 : 8);
    entry.writeUInt16LE(tag, 0);
    entry.writeUInt16LE(permissions, 2);
    if (id !== null) entry.writeUInt32LE(id, 4);
    return entry;
  });
  return Buffer.concat([Buffer.from([VERSION, 0, 0, 0]), ...parts]).toString('latin1');
}
