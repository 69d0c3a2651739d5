import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { PoolOptions, PoolRunnerInitializer, PoolWorker } from 'vitest/node';
import { spawnInNamespaces } from '../../lab/namespace.ts';

/**
 * Vitest's pool for files that put up racks. As in its own pool `forks`, each file has a process of its own; here that process lives in
 * namespaces of its own too, so that racks with the same addresses stand side by side, and nothing of them outlives the file.
 */
export const rackPool: PoolRunnerInitializer = {
  name: 'racks',
  createPoolWorker: (options) => rackWorker(options),
};

/** Speaks with vitest's own worker program, which it starts as `forks` does. */
function rackWorker({ distPath, execArgv, env, project }: PoolOptions): PoolWorker {
  const program = join(distPath, 'workers/forks.js');
  let child: ChildProcess | undefined;
  const started = () => {
    if (child === undefined) throw new Error('the worker of a rack was not started');
    return child;
  };
  return {
    name: rackPool.name,
    async start() {
      child ??= spawnInNamespaces([...execArgv, program], {
        env,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        serialization: 'advanced',
      });
      // Through vitest's own streams, so that what tests say and what it says itself do not cut each other's lines.
      const { outputStream, errorStream } = project.vitest.logger;
      child.stdout?.on('data', (text) => outputStream.write(text));
      child.stderr?.on('data', (text) => errorStream.write(text));
    },
    async stop() {
      const ended = started();
      if (ended.exitCode !== null || ended.signalCode !== null) return;
      const gone = once(ended, 'exit');
      ended.kill('SIGKILL');
      await gone;
    },
    send: (message) => void started().send(message),
    on: (event, callback) => void started().on(event, callback),
    off: (event, callback) => void started().off(event, callback),
    deserialize: (data) => data,
  };
}
