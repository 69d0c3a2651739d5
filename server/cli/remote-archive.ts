import { CliError } from './cli-error.ts';
import { type Client, segment } from './client.ts';
import type { ArchiveBytes } from './image-archive.ts';

/** The archive of an image on a server, asked for in parts. Parts of two different encodings are never mixed. */
export async function remoteArchive(client: Client, ref: string): Promise<ArchiveBytes> {
  const path = `/api/v1/images/${segment(ref)}/archive`;
  // Not by HEAD: a refusal must be able to say why.
  const first = await part(client, path, { range: 'bytes=0-0' });
  const sizeBytes = Number(/^bytes 0-0\/(\d+)$/.exec(first.headers.get('content-range') ?? '')?.[1]);
  if (!Number.isSafeInteger(sizeBytes)) throw noPart();
  const etag = first.headers.get('etag') ?? '';
  return {
    sizeBytes,
    async read(start, end) {
      const last = Math.min(end, sizeBytes) - 1;
      if (last < start) return new Uint8Array(0);
      return (await part(client, path, { range: `bytes=${start}-${last}`, 'if-match': etag })).bytes;
    },
  };
}

async function part(client: Client, path: string, headers: Readonly<Record<string, string>>) {
  const answer = await client.fetchBytes(path, headers);
  if (answer.status !== 206) {
    await answer.body?.cancel();
    throw noPart();
  }
  try {
    return { headers: answer.headers, bytes: new Uint8Array(await answer.arrayBuffer()) };
  } catch (error) {
    throw client.broken(error);
  }
}

function noPart(): CliError {
  return new CliError(
    'the server does not answer with the part asked for. Is something between that cannot Range?',
  );
}
