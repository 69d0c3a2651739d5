import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { rackPool } from './test/e2e/rack-pool.ts';

/** Bounds for what hangs, not measures: machines are busy, and anything may take thirty times as long. */
const BOUNDS = {
  testTimeout: 300_000,
  hookTimeout: 300_000,
  // Shorter than a test's, so that what was waited for is said.
  expect: { poll: { timeout: 120_000 } },
};

/** Three parts, named as `./warmboot test PART` names them; e2e files boot VMs and are given what they need by `test/run.ts`. */
export default defineConfig({
  test: {
    // Files wait for programs and sockets as much as they compute; one processor fewer, as is usual, would leave half of a small machine idle.
    maxWorkers: availableParallelism(),
    projects: [
      {
        test: {
          ...BOUNDS,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**', 'test/e2e/**'],
          globalSetup: 'test/fixtures/made-once.ts',
        },
      },
      {
        test: {
          ...BOUNDS,
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
      {
        test: {
          ...BOUNDS,
          name: 'e2e',
          pool: rackPool,
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 40 * 60_000,
          hookTimeout: 20 * 60_000,
        },
      },
    ],
  },
});
