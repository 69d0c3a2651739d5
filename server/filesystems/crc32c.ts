/**
 * CRC-32C (Castagnoli), bit-reversed polynomial 0x82F63B78: the checksum of ext4's and XFS's metadata.
 * Eight tables take eight bytes at a step ("slicing by 8", Kounavis and Berry, 2005).
 */
const TABLES = makeTables();

/** The raw register after `bytes`, without the final inversion, so that calls can be chained. Unsigned. */
export function crc32c(bytes: Uint8Array, seed = 0xffffffff): number {
  const t = TABLES;
  const wholeEnd = bytes.length - (bytes.length % 8);
  let crc = seed;
  let at = 0;
  for (; at < wholeEnd; at += 8) {
    crc ^=
      byte(bytes, at) |
      (byte(bytes, at + 1) << 8) |
      (byte(bytes, at + 2) << 16) |
      (byte(bytes, at + 3) << 24);
    crc =
      entry(t, 0x700 | (crc & 0xff)) ^
      entry(t, 0x600 | ((crc >>> 8) & 0xff)) ^
      entry(t, 0x500 | ((crc >>> 16) & 0xff)) ^
      entry(t, 0x400 | (crc >>> 24)) ^
      entry(t, 0x300 | byte(bytes, at + 4)) ^
      entry(t, 0x200 | byte(bytes, at + 5)) ^
      entry(t, 0x100 | byte(bytes, at + 6)) ^
      entry(t, byte(bytes, at + 7));
  }
  for (; at < bytes.length; at += 1) crc = entry(t, (crc ^ byte(bytes, at)) & 0xff) ^ (crc >>> 8);
  return crc >>> 0;
}

/** The same of one little-endian 32-bit number. */
export function crc32cOfNumber(seed: number, value: number): number {
  let crc = seed;
  for (let shift = 0; shift < 32; shift += 8)
    crc = entry(TABLES, (crc ^ (value >>> shift)) & 0xff) ^ (crc >>> 8);
  return crc >>> 0;
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function entry(tables: Int32Array, at: number): number {
  return tables[at] as number;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i += 1) {
    let crc = i;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[i] = crc;
  }
  for (let i = 256; i < tables.length; i += 1) {
    const before = entry(tables, i - 256);
    tables[i] = (before >>> 8) ^ entry(tables, before & 0xff);
  }
  return tables;
}
