import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { rackPool } from './test/e2e/rack-pool.ts';
import { LongestFirst } from './test/runner/longest-first.ts';

/** Bounds for what hangs, not measures, by the kind of test; what is waited for within one has less, so that it is said. */
const bounds = (testS: number, pollS: number) => ({
  testTimeout: testS * 1000,
  hookTimeout: 2 * testS * 1000,
  expect: { poll: { timeout: pollS * 1000 } },
});

/** Three parts, named as `./warmboot test PART` names them; e2e files boot VMs and are given what they need by `test/run.ts`. */
export default defineConfig({
  test: {
    // Files wait for programs and sockets as much as they compute; one processor fewer, as is usual, would leave half of a small machine idle.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...bounds(30, 10),
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**', 'test/e2e/**'],
          globalSetup: 'test/fixtures/made-once.ts',
        },
      },
      {
        test: {
          ...bounds(120, 30),
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
        },
      },
      {
        test: {
          ...bounds(30 * 60, 120),
          name: 'e2e',
          pool: rackPool,
          include: ['test/e2e/**/*.test.ts'],
        },
      },
    ],
  },
});
