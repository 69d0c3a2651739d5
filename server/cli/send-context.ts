import { createHash } from 'node:crypto';
import { contextSchema } from '../contract/builds.ts';
import { contextTar } from '../docker-context/context-tar.ts';
import type { DockerContext } from '../docker-context/open-context.ts';
import { CliError } from './cli-error.ts';
import { type Client, RefusedError } from './client.ts';
import type { Progress } from './progress.ts';

/** A step of progress each so many bytes. */
const TELL_EVERY = 4 * 1024 * 1024;

/**
 * Makes sure that the server has a context. It is read once to learn its hash, and once more to be sent if the server
 * does not have it: nothing of it is written here, and a second try costs one reading.
 * @returns its digest
 */
export async function sendContext(
  client: Client,
  context: DockerContext,
  progress: Progress,
): Promise<string> {
  progress.step({ phase: 'context', message: `reading ${context.folder}` });
  const hash = createHash('sha256');
  let bytes = 0;
  const tar = contextTar(context, (path) =>
    progress.note(`not sent: ${path} in the context is no file, folder or link`),
  );
  for await (const piece of tar) {
    hash.update(piece as Buffer);
    bytes += (piece as Buffer).length;
  }
  const digest = `sha256:${hash.digest('hex')}`;
  const path = `/api/v1/contexts/${digest}`;
  if (await isThere(client, path)) {
    progress.step({ phase: 'context', message: 'the server has it already' });
    return digest;
  }
  const content = counted(contextTar(context), bytes, (bytesDone) =>
    progress.step({ phase: 'context', message: '', bytesDone, bytesTotal: bytes }),
  );
  await client.upload(path, { content, bytes, type: 'application/x-tar' }, contextSchema);
  return digest;
}

async function isThere(client: Client, path: string): Promise<boolean> {
  try {
    await client.get(path, contextSchema);
    return true;
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) return false;
    throw error;
  }
}

async function* counted(
  content: AsyncIterable<Uint8Array>,
  total: number,
  tell: (done: number) => void,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  let told = 0;
  tell(0);
  for await (const piece of content) {
    done += piece.length;
    if (done > total) break;
    if (done - told >= TELL_EVERY || done === total) {
      told = done;
      tell(done);
    }
    yield piece;
  }
  if (done !== total) throw new CliError('the context changed while it was sent. Build again.');
}
