import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { spawnContained, stopRequest } from '../lab/namespace.ts';
import { inCheckout } from '../lab/paths.ts';
import { keepFolder, makeWorkFolder, removeFolder } from '../lab/work-folder.ts';
import { parseOptions, type RunOptions, USAGE } from './runner/options.ts';
import { say } from './runner/say.ts';

/**
 * `./warmboot test`. The run itself (runner/main.ts) lives in process and mount namespaces of its own: when this process ends, for
 * whatever reason, the kernel ends all that it started. A janitor outside removes its folders then.
 */

const ENDED_BY_SIGNAL = 130;

/** Removes folders, containers and volumes of a run once its standard input ends; what is killed may still write for a moment. */
const JANITOR = `cat > /dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
  docker ps -aq --filter "label=$RUN" | xargs -r docker rm -fv
  docker volume ls -q --filter "label=$RUN" | xargs -r docker volume rm -f
  rm -rf "$@" && ! ls -d "$@" && break
  sleep 1
done`;

const stopping = stopRequest();
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(USAGE);
    return 0;
  }
  let options: RunOptions;
  try {
    options = parseOptions(args);
    if (options.changedSince !== null) await knownRevision(options.changedSince);
  } catch (error) {
    process.stderr.write(`warmboot: ${(error as Error).message}\n`);
    return 2;
  }
  const folder = await makeWorkFolder('test');
  // Short, and in the system's folder for such things: sockets have names of 107 bytes at the most.
  const temporary = join(tmpdir(), `warmboot-test-${process.pid}`);
  const janitor = startJanitor([folder, temporary]);
  await mkdir(temporary, { recursive: true });
  try {
    const code = await contained([JSON.stringify(options), folder], temporary);
    if (code !== 0 && !stopping.aborted) say(`logs of the failed run: ${await keepFolder(folder)}`);
    if (stopping.aborted) say((stopping.reason as Error).message);
    return stopping.aborted ? ENDED_BY_SIGNAL : code;
  } finally {
    await removeFolder(folder);
    await removeFolder(temporary);
    janitor.end();
  }
}

async function contained(args: readonly string[], temporary: string): Promise<number> {
  const child = spawnContained([...process.execArgv, inCheckout('test/runner/main.ts'), ...args], {
    stdio: 'inherit',
    // A terminal's Ctrl-C is for this process, which then ends that one.
    detached: true,
    env: { ...process.env, TMPDIR: temporary, WARMBOOT_TEST_RUN: runLabel() },
  });
  const stop = () => child.kill('SIGKILL');
  stopping.addEventListener('abort', stop);
  if (stopping.aborted) stop();
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** Label of the containers that this run starts. */
function runLabel(): string {
  return `warmboot-test=${process.pid}`;
}

function startJanitor(folders: readonly string[]): { end(): void } {
  const child = spawn('sh', ['-c', JANITOR, 'sh', ...folders], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { ...process.env, RUN: runLabel() },
  });
  child.unref();
  return { end: () => child.stdin.destroy() };
}

async function knownRevision(revision: string): Promise<void> {
  const { exitCode } = await execa('git', ['rev-parse', '--verify', '--quiet', `${revision}^{commit}`], {
    cwd: inCheckout('.'),
    reject: false,
  });
  if (exitCode !== 0)
    throw new Error(`git knows no revision ${revision}: name a commit, a branch or a tag behind --changed.`);
}
