/**
 * The process of one build, forked by build/builder.ts; it joins the rooms build and blobs. It alone hashes and
 * compresses. It ends when it is done, when it is told to stop and when its parent is gone; what it started ends too.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { draftImage } from './blobs/image-draft.ts';
import { BuildError } from './build/build-error.ts';
import { buildFolderOf } from './build/build-folder.ts';
import { buildImage, type ChunkLookup } from './build/build-image.ts';
import { maskChecks, maskLayers, maskOf } from './build/mask.ts';
import type { BuildProgress, BuildResult, FromChild, ToChild } from './build/messages.ts';

/** Chunks in one message: some 100 bytes each. */
const BATCH = 10_000;
/** How long cleaning up may take when nobody waits for it any more. */
const LAST_RESORT_MS = 20_000;

const stopping = new AbortController();
const asked = new Map<
  number,
  { resolve(found: readonly (number | null)[]): void; reject(error: Error): void }
>();
let asks = 0;

process.on('message', (message: ToChild) => {
  switch (message.type) {
    case 'start':
      void run(message);
      break;
    case 'stored':
      asked.get(message.ask)?.resolve(message.frameBytes);
      asked.delete(message.ask);
      break;
    case 'lookup-failed':
      asked.get(message.ask)?.reject(new Error(message.what));
      asked.delete(message.ask);
      break;
    case 'stop':
      stop('it was stopped');
      break;
    default:
      message satisfies never;
  }
});
process.on('disconnect', () => stop('the server went away'));
// The terminal's Ctrl-C goes to the whole process group: the parent decides what becomes of its builds.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => stop('it was stopped'));
setPriority(10);

function stop(why: string): void {
  stopping.abort(new BuildError('interrupted', `The build did not finish: ${why}.`));
  for (const { reject } of asked.values()) reject(stopping.signal.reason as Error);
  setTimeout(() => process.exit(1), LAST_RESORT_MS).unref();
}

async function run({ request, dataDir, imagesDir }: Extract<ToChild, { type: 'start' }>): Promise<void> {
  const { log } = buildFolderOf(dataDir, request.id);
  const mask = maskOf(Object.values(request.secrets ?? {}));
  // Entries, and at last how it ended, for whoever opens the file; the build's record says that too.
  const note = (entry: BuildProgress | { readonly end: string }) =>
    appendFileSync(log, `${JSON.stringify(entry)}\n`);
  try {
    mkdirSync(dirname(log), { recursive: true });
    const report = (said: BuildProgress): void => {
      const progress = { ...said, message: mask(said.message) };
      note(progress);
      void send({ type: 'progress', progress });
    };
    const storage = { draft: (id: string) => draftImage(dataDir, id) };
    const result = await buildImage(request, {
      dataDir,
      imagesDir,
      storage,
      lookup,
      report,
      signal: stopping.signal,
    });
    note({ end: result.kind === 'tool' ? result.reference : result.digest });
    await sendResult(
      result.kind === 'tool' ? result : { ...result, layers: maskLayers(result.layers, mask) },
    );
    process.exitCode = 0;
  } catch (error) {
    const failure = explain(error);
    const what = mask(failure.message);
    try {
      note({ end: what });
    } catch {
      // The log lies on the disk that may be what failed.
    }
    await send({ type: 'failed', code: failure.code, what, checks: maskChecks(failure.checks, mask) });
    process.exitCode = 1;
  }
  // Sockets to Docker may still be open; nothing of value is.
  process.exit();
}

const lookup: ChunkLookup = async (sha256s) => {
  const found = new Map<string, { bytes: number }>();
  for (let at = 0; at < sha256s.length; at += BATCH) {
    const part = sha256s.slice(at, at + BATCH);
    asks += 1;
    const ask = asks;
    const answer = new Promise<readonly (number | null)[]>((resolve, reject) =>
      asked.set(ask, { resolve, reject }),
    );
    await send({ type: 'lookup', ask, sha256s: part });
    stopping.signal.throwIfAborted();
    for (const [i, bytes] of (await answer).entries()) {
      const sha256 = part[i];
      if (bytes !== null && sha256 !== undefined) found.set(sha256, { bytes });
    }
  }
  return found;
};

async function sendResult(result: BuildResult): Promise<void> {
  if (result.kind === 'tool') return send({ type: 'done', result });
  for (let at = 0; at < result.chunks.length; at += BATCH)
    await send({ type: 'packed', chunks: result.chunks.slice(at, at + BATCH) });
  return send({ type: 'done', result: { ...result, chunks: [] } });
}

/** Resolves when the message is on its way; a parent that is gone is noticed by `disconnect`. */
function send(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) resolve();
    else process.send(message, () => resolve());
  });
}

function explain(error: unknown): BuildError {
  if (stopping.signal.aborted) return stopping.signal.reason as BuildError;
  if (error instanceof BuildError) return error;
  return new BuildError(
    'internal',
    `The build failed unexpectedly: ${(error as Error).stack ?? String(error)}`,
  );
}
