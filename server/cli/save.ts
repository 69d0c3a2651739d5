import { CliError, InterruptedError } from './cli-error.ts';
import { progressOn } from './progress.ts';
import type { Session } from './session.ts';

/**
 * Fetches something large into a file of the user, or to standard output for `-`. A file of that name stays until the new
 * one is whole; after a failure nothing of it is there.
 * @param what of the server's address
 * @param phase as progress calls it
 */
export async function save(
  { client, world }: Session,
  what: string,
  path: string,
  phase: string,
): Promise<void> {
  // First, so that nothing is asked for that cannot be written.
  const file = await world.createFile(path);
  const progress = progressOn(world);
  let done = 0;
  try {
    const { bytes, parts } = await client.download(what);
    for await (const part of parts) {
      await file.write(part);
      done += part.length;
      progress.step({ phase, message: '', bytesDone: done, bytesTotal: bytes });
    }
    if (done !== bytes)
      throw new CliError(`the server sent ${done} bytes of ${bytes}. Run the command again.`);
    await file.finish();
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    await file.discard();
    if (world.signal.aborted) throw new InterruptedError(`stopped; ${path} was not written.`);
    throw error;
  }
}
