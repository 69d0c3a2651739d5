import { createHash } from 'node:crypto';
import type { DiskState } from './disk-state.ts';
import { type Entry, SECTOR } from './write-log.ts';

/** Tells by a number whether two states of a disk hold the same up to a place, without reading all of it each time. */
export class DiskIdentity {
  readonly #flushed: Buffer;
  #sum = 0n;

  /** @param bytes how much of the disk counts, from its beginning; it is zeros at first */
  constructor(bytes: number) {
    this.#flushed = Buffer.alloc(bytes);
  }

  /** What all states have from here on. */
  flush(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry === 'flush') continue;
      const count = entry.data.length / SECTOR;
      for (let i = 0; i < count; i += 1) {
        const sector = entry.sector + i;
        const data = entry.data.subarray(i * SECTOR, (i + 1) * SECTOR);
        this.#sum ^= this.#change(sector, data);
        data.copy(this.#flushed, sector * SECTOR);
      }
    }
  }

  of(disk: DiskState): bigint {
    let sum = this.#sum;
    for (const [sector, data] of disk.unflushed()) sum ^= this.#change(sector, data);
    return sum;
  }

  #change(sector: number, data: Buffer): bigint {
    const before = this.#flushed.subarray(sector * SECTOR, (sector + 1) * SECTOR);
    if (before.length === 0 || before.equals(data)) return 0n;
    return hash(sector, before) ^ hash(sector, data);
  }
}

function hash(sector: number, data: Buffer): bigint {
  const digest = createHash('sha256').update(`${sector} `).update(data).digest();
  return (digest.readBigUInt64LE(0) << 64n) | digest.readBigUInt64LE(8);
}
