import { SECTOR, type Write } from './write-log.ts';

/** A disk, with what reached it of the writes that were never flushed laid over it. */
export class DiskState {
  readonly #flushed: Buffer;
  readonly #over = new Map<number, Buffer>();

  constructor(flushed: Buffer) {
    this.#flushed = flushed;
  }

  /** @param keeps which of its sectors reach the disk; all when left out */
  put({ sector, data }: Write, keeps: (index: number) => boolean = () => true): void {
    for (let i = 0; i * SECTOR < data.length; i += 1)
      if (keeps(i)) this.#over.set(sector + i, data.subarray(i * SECTOR, (i + 1) * SECTOR));
  }

  /** What lies over the flushed disk, sector by sector. */
  unflushed(): Iterable<[sector: number, data: Buffer]> {
    return this.#over;
  }

  read(offset: number, bytes: number): Buffer {
    const first = Math.floor(offset / SECTOR);
    const last = Math.ceil((offset + bytes) / SECTOR);
    const found = Buffer.from(this.#flushed.subarray(first * SECTOR, last * SECTOR));
    if (this.#over.size < last - first) {
      for (const [sector, data] of this.#over)
        if (sector >= first && sector < last) data.copy(found, (sector - first) * SECTOR);
    } else
      for (let sector = first; sector < last; sector += 1)
        this.#over.get(sector)?.copy(found, (sector - first) * SECTOR);
    return found.subarray(offset - first * SECTOR, offset - first * SECTOR + bytes);
  }
}
