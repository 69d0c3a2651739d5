/** What QEMU's blklogwrites records: the format of dm-log-writes (Linux: Documentation/admin-guide/device-mapper/log-writes.rst). */

export const SECTOR = 512;
const MAGIC = 0x6a736677736872n;
const FLUSH = 1n;
const DISCARD = 4n;

export type Write = { readonly sector: number; readonly data: Buffer };
/** A flush: all writes before it are on the disk for good. */
export type Entry = Write | 'flush';

export function readWriteLog(log: Buffer): Entry[] {
  if (log.readBigUInt64LE(0) !== MAGIC) throw new Error('this is no log of writes');
  const count = Number(log.readBigUInt64LE(16));
  const unit = log.readUInt32LE(24);
  const entries: Entry[] = [];
  let at = unit;
  for (let i = 0; i < count; i += 1) {
    const [sector, sectors, flags] = [0, 8, 16].map((field) => log.readBigUInt64LE(at + field)) as [
      bigint,
      bigint,
      bigint,
    ];
    const bytes = Number(sectors) * unit;
    at += unit;
    if ((flags & FLUSH) !== 0n) entries.push('flush');
    if ((flags & DISCARD) !== 0n) entries.push({ sector: Number(sector), data: Buffer.alloc(bytes) });
    else if (bytes > 0) {
      entries.push({ sector: Number(sector), data: log.subarray(at, at + bytes) });
      at += bytes;
    }
  }
  return entries;
}
