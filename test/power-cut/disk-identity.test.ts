import { expect, test } from 'vitest';
import { DiskIdentity } from './disk-identity.ts';
import { DiskState } from './disk-state.ts';
import { SECTOR, type Write } from './write-log.ts';

const BYTES = 4 * SECTOR;
const write = (sector: number, text: string): Write => ({ sector, data: Buffer.alloc(SECTOR, text) });

/** As cuts.ts does it: the flushed disk, and what lies over it. */
function identityOf(flushed: readonly Write[], over: readonly Write[]): bigint {
  const identity = new DiskIdentity(BYTES);
  identity.flush(flushed);
  const base = Buffer.alloc(2 * BYTES);
  for (const { sector, data } of flushed) data.copy(base, sector * SECTOR);
  const disk = new DiskState(base);
  for (const each of over) disk.put(each);
  return identity.of(disk);
}

test.each<[string, readonly Write[], readonly Write[]]>([
  ['flushed or not', [write(1, 'a'), write(2, 'b')], []],
  ['half of it', [write(2, 'b')], [write(1, 'a')]],
  ['over something else', [write(1, 'x'), write(2, 'b')], [write(1, 'a')]],
  ['written twice', [write(1, 'x'), write(1, 'a')], [write(2, 'x'), write(2, 'b')]],
  ['with more behind what counts', [write(1, 'a'), write(5, 'c')], [write(2, 'b'), write(6, 'd')]],
])('the same content is the same: %s', (_what, flushed, over) =>
  expect(identityOf(flushed, over)).toBe(identityOf([], [write(1, 'a'), write(2, 'b')])),
);

test('another content is another, and another place', () => {
  const seen = [[], [write(1, 'a')], [write(1, 'b')], [write(2, 'a')], [write(1, 'a'), write(2, 'a')]];
  expect(new Set(seen.map((over) => identityOf([], over))).size).toBe(seen.length);
});
