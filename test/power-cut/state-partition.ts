import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { hasStarted } from '../../lab/child.ts';

/** What makes the host known to its server; written by the install and never again. */
const KEPT = ['token', 'host', 'server.url', 'server.pem', 'disk'];
export type StateFiles = { readonly kept: string; readonly trial: string };

let made = 0;

/** What a boot finds on the state partition: its journal played back and itself checked as e2fsck does without asking. */
export async function readState(folder: string, partition: Buffer): Promise<StateFiles | string> {
  made += 1;
  const file = join(folder, `state-${made}`);
  writeFileSync(file, partition);
  try {
    const ended = await execa('/sbin/e2fsck', ['-f', '-p', file], { reject: false });
    const check = hasStarted('/sbin/e2fsck', ended);
    if (check.exitCode !== 0 && check.exitCode !== 1)
      return `e2fsck -p ended with ${check.exitCode}: ${check.stdout}`;
    const cat = (names: readonly string[]) =>
      execa('/sbin/debugfs', ['-f', '-', file], { input: names.map((name) => `cat /${name}\n`).join('') });
    // It repeats each command before the answer.
    const [kept, trial] = await Promise.all([cat(KEPT), cat(['trial'])]);
    return { kept: kept.stdout + kept.stderr, trial: trial.stdout };
  } finally {
    rmSync(file);
  }
}
