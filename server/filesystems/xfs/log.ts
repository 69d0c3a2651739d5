import { put64, type Volume } from './encode.ts';
import { BLOCK } from './geometry.ts';

const CYCLE = 1;
const BASIC_BLOCK = 512;

/**
 * The first block of the journal: one record that says "cleanly unmounted" in cycle 1; the rest of the journal is zeros.
 * All metadata carries the log sequence number 0, which is never ahead of it. As mkfs.xfs writes it (`libxfs_log_header`).
 */
export function cleanLog({ uuid }: Volume): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.writeUInt32BE(0xfeedbabe, 0);
  block.writeUInt32BE(CYCLE, 4);
  block.writeUInt32BE(2, 8);
  // Padded to the log's stripe unit, which is one sector.
  block.writeUInt32BE(BLOCK - BASIC_BLOCK, 12);
  put64(block, 16, CYCLE * 2 ** 32);
  put64(block, 24, CYCLE * 2 ** 32);
  block.writeUInt32BE(0xffffffff, 36);
  block.writeUInt32BE(1, 40);
  const transaction = 0xb0c0d0d0;
  block.writeUInt32BE(transaction, 44);
  // Little-endian Linux: the record's own content is in the machine's order.
  block.writeUInt32BE(1, 300);
  uuid.copy(block, 304);
  block.writeUInt32BE(32 * 1024, 320);
  // The cycle stands at the begin of every 512 bytes; what it displaces, the transaction's number, is kept in the header.
  for (let at = BASIC_BLOCK; at < BLOCK; at += BASIC_BLOCK) block.writeUInt32BE(CYCLE, at);
  block.writeUInt32BE(8, BASIC_BLOCK + 4);
  block.set([0xaa, 0x20], BASIC_BLOCK + 8);
  block.writeUInt32LE(0x556e, BASIC_BLOCK + 12);
  return block;
}
