/**
 * What the superblock promises, bit by bit: everything here mounts on Linux 3.10 as CentOS 7.9 ships it, and nothing else is
 * ever set. Source: "XFS Algorithms & Data Structures", 3rd edition, superblocks.
 */

/** `sb_versionnum`. The low four bits are the version: 5, since Linux 3.10 (stable in 3.15 and in CentOS 7's 3.10). */
export const VERSION =
  0x5 |
  0x0020 | // NLINK: 32-bit link counts, Linux 2.4
  0x0080 | // ALIGN: inode chunks are aligned, Linux 2.4
  0x0400 | // LOGV2: journal version 2, Linux 2.4
  0x0800 | // SECTOR: sectors above 512 bytes, Linux 2.4
  0x1000 | // EXTFLG: unwritten extents, Linux 2.4
  0x2000 | // DIRV2: directories version 2, Linux 2.4
  0x8000; // MOREBITS: `sb_features2` counts, Linux 2.6

/** ATTR, Linux 2.4: set when any inode has extended attributes, as the kernel does with the first. */
export const VERSION_ATTR = 0x0010;

/** `sb_features2`. */
export const FEATURES2 =
  0x0002 | // LAZYSBCOUNT: counters of the superblock are right after a clean unmount, Linux 2.6.23
  0x0008 | // ATTR2: the border between an inode's forks moves, Linux 2.6.16
  0x0080 | // PROJID32: 32-bit project numbers, Linux 2.6.37
  0x0100; // CRC: checksums on all metadata, Linux 3.10

/**
 * `sb_features_incompat`: FTYPE, file types in directories, Linux 3.10 (CentOS 7). Never SPINODES (4.2), META_UUID (4.3),
 * BIGTIME (5.10), NREXT64 (5.19), EXCHRANGE and PARENT (6.10).
 */
export const FEATURES_INCOMPAT = 0x1;

/** `sb_features_ro_compat`: none. Never FINOBT (3.16), RMAPBT (4.8), REFLINK (4.9), INOBTCNT (5.10). */
export const FEATURES_RO_COMPAT = 0x0;
