import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';

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
  const child = spawn(program, args, options);
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
