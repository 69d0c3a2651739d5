import { CliError, InterruptedError } from './cli-error.ts';
import type { DownloadOrder } from './client.ts';
import { transferProgressOn } from './progress.ts';
import type { Session } from './session.ts';

/** What the first bytes of a file can tell. */
const HEAD_BYTES = 4096;

export interface Saved {
  readonly bytes: number;
  readonly head: Uint8Array;
}

/**
 * Fetches something large into a file of the user, or to standard output for `-`. A file of that name stays until the new
 * one is whole; after a failure nothing of it is there.
 * @param what of the server's address
 * @param phase as progress calls it
 * @param order of what is posted for; `isSecret`: the file is for its owner alone
 */
export async function save(
  { client, json, world }: Session,
  what: string,
  path: string,
  phase: string,
  order: DownloadOrder & { readonly isSecret?: boolean } = {},
): Promise<Saved> {
  if (json && path === '-')
    throw new CliError('--json and - both want standard output. Name a file, or leave out --json.', 2);
  // First, so that nothing is asked for that cannot be written.
  const file = await world.createFile(path, order);
  const progress = transferProgressOn(world);
  let done = 0;
  let head: Uint8Array = new Uint8Array(0);
  try {
    const { bytes, parts } = await client.download(what, order);
    for await (const part of parts) {
      await file.write(part);
      if (head.length < HEAD_BYTES) head = Buffer.concat([head, part.subarray(0, HEAD_BYTES)]);
      done += part.length;
      progress.step({ phase, message: '', bytesDone: done, bytesTotal: bytes });
    }
    if (done !== bytes)
      throw new CliError(`the server sent ${done} bytes of ${bytes}. Run the command again.`);
    await file.finish();
    progress.end('done');
    return { bytes: done, head };
  } catch (error) {
    progress.end('failed');
    await file.discard();
    if (world.signal.aborted) throw new InterruptedError(`stopped; ${path} was not written.`);
    throw error;
  }
}
