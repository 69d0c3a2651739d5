import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { startProgram } from './child.ts';

/** Set in the environment of everything that runs inside a rack's namespaces. */
const MARK = 'WARMBOOT_RACK';

/** What the process outside sends over its IPC channel to ask the one inside to come to an end. */
interface StopMessage {
  readonly stop: NodeJS.Signals;
}

/** Whether this process runs in namespaces made by {@link runInNamespaces}, where it may do with the network as it likes. */
export function insideNamespaces(): boolean {
  return process.env[MARK] === '1';
}

export interface NamespaceOptions {
  /** Wait for the process to clean up when asked to stop; without it a stop is a kill. It must use {@link stopRequest}. */
  readonly graceful: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Starts `node ARGS` as the first process of new network, process and mount namespaces. The child is not Node itself but what made
 * its namespaces: only SIGKILL reaches it, and ends all.
 *
 * Nothing in there has a name outside, so nothing can be left behind: when the first process ends, for whatever reason, the
 * kernel ends all others, and with them go taps, bridges and mounts. Two things see to it that it does end with us: the
 * kernel's parent-death signal down the chain (us → unshare → node), and an IPC channel, whose closing the one inside notices.
 */
export function spawnInNamespaces(args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawnContained(args, { ...options, env: { ...(options.env ?? process.env), [MARK]: '1' } }, [
    '--net',
  ]);
}

/** The same with the network of this process. Needs root as well. */
export function spawnContained(
  args: readonly string[],
  options: SpawnOptions,
  more: readonly string[] = [],
): ChildProcess {
  const unshare = ['unshare', ...more, '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  return startProgram(
    'setpriv',
    ['--pdeathsig', 'KILL', '--', ...unshare, process.execPath, ...args],
    options,
  );
}

/** Runs `node ARGS` by {@link spawnInNamespaces}, on our own terminal, and gives back its exit code. */
export async function runInNamespaces(args: readonly string[], options: NamespaceOptions): Promise<number> {
  const child = spawnInNamespaces([...process.execArgv, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...options.env },
  });

  let stopped: NodeJS.Signals | undefined;
  const stop = (signal: NodeJS.Signals) => {
    if (stopped !== undefined) return;
    stopped = signal;
    if (options.graceful && child.connected) {
      child.send({ stop: signal } satisfies StopMessage, () => {});
      // unshare does not pass signals on; killing it is what kills the tree.
      setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
    } else {
      child.kill('SIGKILL');
    }
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    if (code !== null) return code;
    return stopped === undefined ? fail(`the rack was ended by ${signal}`) : 130;
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

function fail(sentence: string): number {
  process.stderr.write(`warmboot: ${sentence}\n`);
  return 1;
}

/** Aborted when somebody wants this process to end: Ctrl-C, a signal, a word from outside, or the outside being gone. */
export function stopRequest(): AbortSignal {
  const controller = new AbortController();
  const stop = (why: string) => controller.abort(new Error(`stopped by ${why}`));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal));
  if (process.channel !== undefined) {
    process.on('message', (message: StopMessage) => stop(message.stop));
    process.on('disconnect', () => stop('the end of the process that started it'));
    // Listening for a stop alone keeps nobody alive.
    process.channel?.unref();
  }
  return controller.signal;
}
