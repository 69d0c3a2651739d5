import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { powerHookFinding } from '../../server/doctor/power-hook.ts';

test('a hook that cannot be started is a problem, one that others can change a warning', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'hook');
  const level = async () => (await powerHookFinding(file))?.level;
  expect([await powerHookFinding(null), await level()]).toEqual([null, 'problem']);
  writeFileSync(file, '');
  for (const [mode, expected] of [
    [0o644, 'problem'],
    [0o777, 'warning'],
    [0o755, 'ok'],
  ] as const) {
    chmodSync(file, mode);
    expect([mode, await level()]).toEqual([mode, expected]);
  }
});
