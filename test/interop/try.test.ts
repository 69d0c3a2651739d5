import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';

/** The real command with the real QEMU, on a disk whose first sector says a line and halts. */

let folder: string;
let running: ChildProcess;
let closed: Promise<number | null>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-try-run-'));
});
afterEach(async () => {
  // Not by SIGKILL: nobody would end its machine then.
  running.kill('SIGTERM');
  await closed;
  rmSync(folder, { recursive: true });
});

const LINE = 'one sector is enough';

/** Writes the line to the first serial port, then halts. Source: a BIOS loads the first sector at 0x7c00. */
function talkingDisk(): Buffer {
  const textAt = 0x40;
  const code = [
    [0xfa], //                             cli
    [0x31, 0xc0], //                       xor ax, ax
    [0x8e, 0xd8], //                       mov ds, ax
    [0xbe, textAt, 0x7c], //               mov si, 0x7c00 + textAt
    [0xba, 0xf8, 0x03], //                 mov dx, 0x3f8
    [0xac], //                        next: lodsb
    [0x84, 0xc0], //                       test al, al
    [0x74, 0x03], //                       jz halt
    [0xee], //                             out dx, al
    [0xeb, 0xf8], //                       jmp next
    [0xf4, 0xeb, 0xfd], //            halt: hlt, for ever
  ].flat();
  // A BIOS takes no disk that has not even one cylinder.
  const disk = Buffer.alloc(1024 * 1024);
  Buffer.from(code).copy(disk);
  disk.write(`\r\n${LINE}\r\n\0`, textAt, 'latin1');
  disk.writeUInt16LE(0xaa55, 510);
  return disk;
}

/** Process ids of QEMUs that have this disk. */
function machinesWith(disk: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return words.startsWith('qemu-system') && words.includes(disk);
    } catch {
      return false;
    }
  });
}

test.each([
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('the console comes on stdout, and after %s nothing is left', async (signal, exitCode) => {
  const disk = join(folder, 'disk.img');
  writeFileSync(disk, talkingDisk());
  running = spawn(inCheckout('warmboot'), ['try', disk, '--memory', '128'], {
    env: { ...process.env, WARMBOOT_SETUP: 'skip', WARMBOOT_LAB_ACCEL: 'tcg' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  closed = new Promise((resolve) => running.on('close', resolve));
  let [stdout, stderr] = ['', ''];
  running.stdout?.on('data', (text) => {
    stdout += text;
  });
  running.stderr?.on('data', (text) => {
    stderr += text;
  });

  await expect.poll(() => `${stdout}${stderr}`).toContain(LINE);
  expect(stdout).toContain(LINE);
  expect(stderr).toContain('starting the machine (tcg)');
  const work = inCheckout(`.cache/work/try-${running.pid}`);
  expect(machinesWith(disk)).toHaveLength(1);
  expect(existsSync(work)).toBe(true);

  running.kill(signal);
  expect(await closed).toBe(exitCode);
  expect(machinesWith(disk)).toEqual([]);
  expect(existsSync(work)).toBe(false);
  expect(readFileSync(disk).equals(talkingDisk())).toBe(true);
});
