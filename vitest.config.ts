import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Three parts, named as `./warmboot test PART` names them; e2e files boot VMs and are run one after another by `test/run.ts`. */
export default defineConfig({
  test: {
    // Files wait for programs and sockets as much as they compute; one processor fewer, as is usual, would leave half of a small machine idle.
    maxWorkers: availableParallelism(),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**', 'test/e2e/**'],
          // A bound for what hangs, not a measure: machines are busy.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 40 * 60_000,
          hookTimeout: 20 * 60_000,
        },
      },
    ],
  },
});
