import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** After a SIGTERM a program has so long. */
const PATIENCE_MS = 10_000;

/**
 * Runs a program to its end. When `signal` aborts it is told to end, by its own process id, and killed if it does not.
 * @returns its exit code; 1 when a signal ended it
 * @throws Error when it cannot be started
 */
export async function runChild(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const child = startProgram(program, args, options);
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  };
  signal.addEventListener('abort', stop);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return code ?? 1;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Starts a program as `spawn` does. @throws Error at once when it cannot be started, instead of an event */
export const startProgram = ((program: string, args: readonly string[], options: SpawnOptions) => {
  const child = spawn(program, args, options);
  if (child.pid !== undefined) return child;
  child.on('error', () => {});
  throw cannotStart(program, 'it is not there, or may not be run');
}) as typeof spawn;

/** What `spawnSync`, and `execa` with `reject: false`, answer when they may have started nothing. */
type Ended = {
  readonly code?: string | undefined;
  readonly error?: Error | undefined;
  readonly exitCode?: number | undefined;
};

/** @returns the same @throws Error when the program was never started */
export function hasStarted<T extends Ended>(program: string, ended: T): T {
  const code = ended.code ?? (ended.error as NodeJS.ErrnoException | undefined)?.code;
  if (code === 'ENOENT' || code === 'EACCES') throw cannotStart(program, code);
  return ended;
}

/** For what starts programs by way of others, or many times. @throws Error when one of them is not in PATH */
export function needPrograms(...programs: readonly string[]): void {
  for (const program of programs) {
    const folders = program.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
    if (!folders.some((folder) => mayRun(join(folder, program)))) throw cannotStart(program, 'not in PATH');
  }
}

function mayRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function cannotStart(program: string, why: string): Error {
  return new Error(`cannot start ${program}: ${why}`);
}
