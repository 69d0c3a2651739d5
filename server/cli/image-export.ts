import { CliError, message } from './cli-error.ts';
import { segment } from './client.ts';
import { progressOn } from './progress.ts';
import type { Session } from './session.ts';

/** Writes the archive of an image to a file; a file of that name stays until the new one is whole. */
export async function exportImage(session: Session, ref: string, path: string): Promise<number> {
  const { client, world, say } = session;
  const answer = await client.fetchBytes(`/api/v1/images/${segment(ref)}/archive`, {});
  const total = Number(answer.headers.get('content-length'));
  const file = await world.createFile(path).catch((error: unknown) => {
    throw new CliError(`${path} cannot be written: ${message(error)}`);
  });
  const progress = progressOn(world);
  try {
    let done = 0;
    for await (const part of parts(session, answer)) {
      await file.write(part).catch((error: unknown) => {
        throw new CliError(`${path} cannot be written: ${message(error)}`);
      });
      done += part.length;
      progress.step({ phase: 'export', message: '', bytesDone: done, bytesTotal: total });
    }
    if (done !== total) throw new CliError(`the image broke off after ${done} of ${total} bytes. Try again.`);
    await file.finish();
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    await file.discard();
    throw error;
  }
  if (path !== '-') say(`${ref} is in ${path}.`);
  return 0;
}

async function* parts({ client }: Session, answer: Response): AsyncGenerator<Uint8Array> {
  try {
    if (answer.body) yield* answer.body as unknown as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw client.broken(error);
  }
}
