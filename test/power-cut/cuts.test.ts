import { expect, test } from 'vitest';
import { cuts } from './cuts.ts';
import type { DiskState } from './disk-state.ts';
import { type Entry, readWriteLog, SECTOR } from './write-log.ts';

const write = (sector: number, text: string, sectors = 1): Entry => ({
  sector,
  data: Buffer.alloc(sectors * SECTOR, text),
});
const shown = (disk: DiskState) =>
  [0, 1, 2, 3]
    .map((sector) =>
      disk
        .read(sector * SECTOR, 1)
        .toString('latin1')
        .replace('\0', '.'),
    )
    .join('');
/** A cut is looked at before the next one is asked for. */
const tried = (entries: readonly Entry[], samples: number) =>
  Array.from(
    cuts(entries, 4 * SECTOR, samples, () => {}),
    ({ disk }) => shown(disk),
  );

test('what was flushed is there, and of the rest any part', () => {
  const entries = [write(0, 'a'), 'flush', write(1, 'b'), write(2, 'c'), write(0, 'd')] as const;
  const seen = tried(entries, 50);
  expect(seen.slice(0, 2)).toEqual(['....', 'a...']);
  expect([...new Set(seen.slice(2))].sort()).toEqual(
    ['a...', 'ab..', 'abc.', 'a.c.', 'd...', 'db..', 'dbc.', 'd.c.'].sort(),
  );
});

test('a write of several sectors is torn, to its beginning or with holes', () => {
  const seen = new Set(tried([write(0, 'x', 4)], 200));
  for (const one of ['....', 'x...', 'xx..', 'xxx.', 'xxxx', '..x.']) expect(seen).toContain(one);
});

test('the same cuts each time, and each flush is told with all that came before it', () => {
  const entries = [write(0, 'a'), write(1, 'b', 3), 'flush', write(0, 'c'), 'flush'] as const;
  const told: string[] = [];
  const names = () =>
    [...cuts(entries, 4 * SECTOR, 5, (disk) => told.push(shown(disk)))].map(({ name }) => name);
  expect(names()).toEqual(names());
  expect(told.slice(0, 2)).toEqual(['abbb', 'cbbb']);
});

test('a log: writes, flushes, discards', () => {
  const head = Buffer.alloc(SECTOR);
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeBigUInt64LE(3n, 16);
  head.writeUInt32LE(SECTOR, 24);
  const entry = (sector: number, sectors: number, flags: number) => {
    const text = Buffer.alloc(SECTOR);
    for (const [i, field] of [sector, sectors, flags].entries()) text.writeBigUInt64LE(BigInt(field), i * 8);
    return text;
  };
  const content = Buffer.alloc(2 * SECTOR, 'w');
  const log = Buffer.concat([head, entry(7, 2, 0), content, entry(0, 0, 1), entry(9, 1, 4)]);
  expect(readWriteLog(log)).toEqual([
    { sector: 7, data: content },
    'flush',
    { sector: 9, data: Buffer.alloc(SECTOR) },
  ]);
  expect(() => readWriteLog(Buffer.alloc(SECTOR))).toThrow('no log');
});
