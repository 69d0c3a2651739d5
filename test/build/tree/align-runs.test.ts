import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { alignRuns } from '../../../server/build/tree/align-runs.ts';
import type { ContentRun } from '../../../server/filesystems/node.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-runs-'));
afterAll(() => rmSync(folder, { recursive: true }));
const source = join(folder, 'source');
const stored = Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i % 255) + 1));
writeFileSync(source, stored);

/** The content again: runs, and zeros between them. */
function assemble(runs: readonly ContentRun[], size: number): Buffer {
  const data = Buffer.alloc(size);
  for (const { at, bytes, file, offset } of runs) readFileSync(file).copy(data, at, offset, offset + bytes);
  return data;
}

test('runs at blocks stay as they are, and nothing is written', () => {
  const runs = [
    { at: 0, bytes: 10, file: source, offset: 5 },
    { at: 8192, bytes: 5000, file: source, offset: 15 },
  ];
  expect(
    alignRuns(runs, () => {
      throw new Error('not needed');
    }),
  ).toBe(runs);
});

test('any runs give the same content in runs that begin at blocks', () => {
  let count = 0;
  const pieces = fc.array(fc.tuple(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 1, max: 6000 })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(pieces, (gaps) => {
      let at = 0;
      let offset = 0;
      const runs = gaps.map(([gap, bytes]) => {
        const run = { at: at + gap, bytes, file: source, offset };
        at = run.at + bytes;
        offset += bytes;
        return run;
      });
      count += 1;
      const aligned = alignRuns(runs, () => join(folder, `side-${count}`));
      expect(aligned.every((run) => run.at % 4096 === 0)).toBe(true);
      for (const [i, run] of aligned.entries())
        expect(run.at).toBeGreaterThanOrEqual((aligned[i - 1]?.at ?? 0) + (aligned[i - 1]?.bytes ?? 0));
      expect(assemble(aligned, at).equals(assemble(runs, at))).toBe(true);
    }),
    { numRuns: 100 },
  );
});
