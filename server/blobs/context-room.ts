import { rm, statfs } from 'node:fs/promises';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';

/** Who was told just now that a context is here is about to build with it: so long it stays, whatever else comes. */
const JUST_USED_MS = 60_000;

export interface RoomOptions {
  readonly folder: string;
  /** All contexts together, those that are still coming too. */
  readonly maxTotalBytes: number;
  /** So much of the disk stays free: the database and the images lie on it too. */
  readonly reserveBytes: number;
  /** What the disk of a folder has left; for tests. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

/** A context that is here. */
export interface KeptContext {
  readonly digest: Digest;
  readonly file: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly usedAt: number;
  /** By a build. */
  readonly isHeld: boolean;
}

/** A context that is being sent: what it was promised, and how much of that it has used. */
export interface Coming {
  promisedBytes: number;
  writtenBytes: number;
}

/** Shares out what contexts may have of the disk. */
export function contextRoom({ folder, maxTotalBytes, reserveBytes, freeBytes = freeBytesOf }: RoomOptions): {
  /**
   * Promises a context that comes in so many bytes in all. Those that are here make room for it, the longest unused first.
   * @throws WarmbootError `unavailable` when they cannot; then nothing is removed
   */
  promise(mine: Coming, bytes: number, kept: readonly KeptContext[], coming: Iterable<Coming>): Promise<void>;
} {
  return {
    async promise(mine, bytes, kept, coming) {
      const all = [...coming];
      const promised = sum(all.map(({ promisedBytes }) => promisedBytes));
      const unwritten = promised - sum(all.map(({ writtenBytes }) => writtenBytes));
      const wanted = bytes - mine.promisedBytes;
      const inTotal = maxTotalBytes - promised - sum(kept.map((each) => each.bytes));
      const onDisk = (await freeBytes(folder)) - reserveBytes - unwritten;
      const removable = kept
        .filter(({ isHeld, usedAt }) => !isHeld && Date.now() - usedAt > JUST_USED_MS)
        .sort((a, b) => a.usedAt - b.usedAt);
      const most = sum(removable.map((each) => each.bytes));
      if (onDisk + most < wanted) throw diskTooFull(reserveBytes);
      if (inTotal + most < wanted) throw allInUse(maxTotalBytes);
      let room = Math.min(inTotal, onDisk);
      for (const { file, bytes: freed } of removable) {
        if (room >= wanted) break;
        await rm(file, { force: true });
        room += freed;
      }
      mine.promisedBytes = bytes;
    },
  };
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0);

function diskTooFull(reserveBytes: number): WarmbootError {
  return new WarmbootError(
    'unavailable',
    `The context does not fit: the disk of the data folder would have less than ${mebibytes(reserveBytes)} MiB left. Remove images, or give it more room.`,
  );
}

function allInUse(maxTotalBytes: number): WarmbootError {
  return new WarmbootError(
    'unavailable',
    `There is no room for the context: those of other builds fill the ${mebibytes(maxTotalBytes)} MiB that this server keeps for them. Try again when a build has ended.`,
  );
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2);
}
