/** Set by `./warmboot test … --all`. */
export const ALL_MARK = 'WARMBOOT_TEST_ALL';

/** Whether the long tail is asked for: more rounds, more combinations of what is tried in part on each run. */
export function runsAll(): boolean {
  return process.env[ALL_MARK] === '1';
}
