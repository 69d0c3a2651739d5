import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { acceptQueueFinding } from '../../server/doctor/accept-queue.ts';

test('a kernel that lets few machines wait is told of, with what to write', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-doctor-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'somaxconn');
  expect(await acceptQueueFinding(file)).toBeNull();
  writeFileSync(file, '4096\n');
  expect(await acceptQueueFinding(file)).toMatchObject({ level: 'ok', mend: null });
  writeFileSync(file, '128\n');
  const { level, what, mend } = (await acceptQueueFinding(file)) ?? {};
  expect(level).toBe('warning');
  expect(what).toContain('lets 128 connections wait');
  expect(mend).toContain('net.core.somaxconn=4096');
});
