import { type ChildProcess, fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { childProgram } from '../lib/product.ts';
import { BuildError } from './build-error.ts';
import { buildFolderOf } from './build-folder.ts';
import type { ChunkLookup } from './build-image.ts';
import type { BuildRequest, BuildResult, FromChild, PackedChunk, Report, ToChild } from './messages.ts';

export interface BuilderOptions {
  readonly dataDir: string;
  /** The folder that holds images/NAME folders. */
  readonly imagesDir: string;
  /**
   * Which chunks are stored, with the length of their frames. The caller keeps what it answered here until the build
   * is committed or has failed: garbage collection must not take it.
   */
  readonly lookup: ChunkLookup;
  readonly onProgress: Report;
  /** Removes what a build left of its image when its process was killed outright. */
  readonly discard: (buildId: string) => Promise<void>;
  /** Stops the build; it then fails with `interrupted`. */
  readonly signal: AbortSignal;
}

/**
 * Builds an image in a process of its own.
 *
 * When it resolves, pack and image folder lie synced under temporary names: the caller alone gives them their final ones
 * and commits them, so a child that outlives a killed server publishes nothing. When it rejects, nothing of the build remains but its log.
 * @throws BuildError
 */
export async function runBuild(request: BuildRequest, options: BuilderOptions): Promise<BuildResult> {
  const dataDir = resolve(options.dataDir);
  const imagesDir = resolve(options.imagesDir);
  options.signal.throwIfAborted();
  const child = fork(childProgram('build-child'), {
    // New space is not given back: 16 MiB halves of it would be a tenth of what a build may hold (see spare-memory.ts).
    execArgv: ['--max-semi-space-size=4'],
    // Its stdout is not the server's: that carries one line for programs.
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.stdout?.pipe(process.stderr, { end: false });
  const stop = (): void => tell(child, { type: 'stop' });
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    return await conversation(child, { type: 'start', request, dataDir, imagesDir }, options);
  } catch (error) {
    // Killed outright it could not clean up after itself.
    await rm(buildFolderOf(dataDir, request.id).work, { recursive: true, force: true });
    await options.discard(request.id);
    throw error;
  } finally {
    options.signal.removeEventListener('abort', stop);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

function conversation(child: ChildProcess, start: ToChild, options: BuilderOptions): Promise<BuildResult> {
  return new Promise((resolve, reject) => {
    const chunks: PackedChunk[] = [];
    let outcome: BuildResult | BuildError | null = null;
    child.on('message', (message: FromChild) => {
      switch (message.type) {
        case 'progress':
          options.onProgress(message.progress);
          break;
        case 'lookup':
          void answer(child, message, options.lookup);
          break;
        case 'packed':
          for (const chunk of message.chunks) chunks.push(chunk);
          break;
        case 'done':
          outcome = message.result.kind === 'tool' ? message.result : { ...message.result, chunks };
          break;
        case 'failed':
          outcome = new BuildError(message.code, message.what, message.checks);
          break;
        default:
          message satisfies never;
      }
    });
    child.on('error', (error) =>
      reject(new BuildError('internal', `The build could not be started: ${error.message}`)),
    );
    child.on('exit', (code, signal) => {
      if (outcome instanceof BuildError) reject(outcome);
      else if (outcome) resolve(outcome);
      else
        reject(
          new BuildError(
            'interrupted',
            `The build's process ended early (${signal ?? `exit code ${code}`}).`,
          ),
        );
    });
    tell(child, start);
  });
}

async function answer(
  child: ChildProcess,
  { ask, sha256s }: Extract<FromChild, { type: 'lookup' }>,
  lookup: ChunkLookup,
): Promise<void> {
  try {
    const found = await lookup(sha256s);
    tell(child, {
      type: 'stored',
      ask,
      frameBytes: sha256s.map((sha256) => found.get(sha256)?.bytes ?? null),
    });
  } catch (error) {
    tell(child, { type: 'lookup-failed', ask, what: (error as Error).message });
  }
}

/** A child that is gone is noticed by its exit. */
function tell(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message, () => {});
}
