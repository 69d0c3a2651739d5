import { expect, test } from 'vitest';
import { fuzz } from './fuzz.ts';

/** bench/tftp-fuzz.ts does ten million. */
test.each([
  [false, 1],
  [true, 2],
])('100,000 random and mutated packets, single port %s', async (singlePort, seed) => {
  const { files, answers } = await fuzz(100_000, seed, singlePort);
  expect(files).toBeGreaterThan(100);
  expect(answers).toBeGreaterThan(10_000);
});
