import { spawn } from 'node:child_process';
import type { PowerHookSettings } from '../config.ts';
import type { PowerFacts, PowerHook, PowerOutcome } from '../core/power-port.ts';

/** The end of what a hook said, for the event. */
const OUTPUT_BYTES = 4096;

/**
 * Runs the operator's command: `FILE cycle MAC`, without a shell, in an environment of its own, with nothing to read. Whatever it
 * started ends with it.
 */
export function powerHook({ file, timeoutMs, atOnce }: PowerHookSettings): PowerHook {
  return {
    atOnce,
    cycle: (facts, signal) =>
      new Promise<PowerOutcome>((resolve) => {
        let output = Buffer.alloc(0);
        const end = (ok: boolean, how: string) => resolve({ ok, how, output: readable(output) });
        let child: ReturnType<typeof spawn>;
        try {
          child = spawn(file, ['cycle', facts.macs[0] ?? ''], {
            cwd: '/',
            env: environment(facts),
            // A group of its own, so that all of it can be ended.
            detached: true,
            stdio: ['ignore', 'pipe', 'pipe'],
          });
        } catch (error) {
          return end(false, `the hook could not be started: ${(error as Error).message}`);
        }
        const keep = (part: Buffer) => {
          output = Buffer.concat([output, part]).subarray(-OUTPUT_BYTES);
        };
        child.stdout?.on('data', keep);
        child.stderr?.on('data', keep);
        let cut: string | null = null;
        const kill = (why: string) => {
          cut ??= why;
          endGroup(child.pid);
        };
        const timer = setTimeout(() => kill(`did not end in ${timeoutMs / 1000} s`), timeoutMs);
        const onStop = () => kill('was ended, for the server stops');
        signal.addEventListener('abort', onStop);
        if (signal.aborted) onStop();
        const over = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onStop);
        };
        child.once('error', (error) => {
          over();
          end(false, `the hook could not be started: ${error.message}`);
        });
        child.once('exit', (code, killed) => {
          over();
          endGroup(child.pid);
          // What it wrote last is still on its way; a pipe that somebody else holds open is not waited for.
          setTimeout(() => {
            child.stdout?.destroy();
            child.stderr?.destroy();
            if (cut !== null) end(false, `the hook ${cut}`);
            else if (code === 0) end(true, 'the power was cycled');
            else end(false, `the hook ended with ${killed ?? `exit code ${code}`}`);
          }, 50);
        });
      }),
  };
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

/** Labels by their names in capitals, with _ for what no variable may hold; all of them as JSON too. */
function environment({ macs, labels, serial, bmc }: PowerFacts): Record<string, string> {
  const named = Object.entries(labels).map(([name, value]) => [
    `WARMBOOT_LABEL_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`,
    value,
  ]);
  const all: Record<string, string> = {
    ...Object.fromEntries(named),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    WARMBOOT_ACTION: 'cycle',
    WARMBOOT_MAC: macs[0] ?? '',
    WARMBOOT_MACS: macs.join(' '),
    WARMBOOT_LABELS: JSON.stringify(labels),
    WARMBOOT_SERIAL_SAID: serial ?? '',
    WARMBOOT_BMC_SAID: bmc ?? '',
  };
  // A variable cannot hold it, and texts of machines may.
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, value.replaceAll('\0', '')]));
}

/** Without what a terminal would act on. */
function readable(output: Buffer): string {
  return output
    .toString('utf8')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .trim();
}
