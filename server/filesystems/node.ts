/**
 * A byte string; each character stands for one byte. Names, link targets and xattr values on a Linux disk are bytes, not
 * UTF-8, and must come out as they went in; comparing such strings compares bytes.
 */
export type Latin1 = string;

export type NodeType = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo';

/** What an inode says about itself. */
export interface NodeMetadata {
  readonly type: NodeType;
  /** Permission bits with set-uid, set-gid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970; may be negative. */
  readonly mtime: number;
  /** 0 to 999,999,999, on top of `mtime`. */
  readonly mtimeNanos: number;
  /** Length of the content, holes included; 0 for everything but files. */
  readonly size: number;
  /** Target of a symlink, else empty. */
  readonly link: Latin1;
  readonly major: number;
  readonly minor: number;
  /** Full name (`security.capability`) → value. */
  readonly xattrs: ReadonlyMap<Latin1, Latin1>;
}

/** A run of a file's content that lies in one piece in a file of this machine. What no run covers is a hole. */
export interface ContentRun {
  /** Where it begins in the content: a multiple of 4096. */
  readonly at: number;
  readonly bytes: number;
  /** Path of the file that holds it, and where there. */
  readonly file: string;
  readonly offset: number;
}

/** What several names can share. */
export interface Inode {
  /** As the last member that states it has it. */
  meta: NodeMetadata;
  /** In rising order, not overlapping; empty for everything but files. */
  readonly content: readonly ContentRun[];
}
