import { CliError } from './cli-error.ts';
import { type Client, segment } from './client.ts';
import type { ArchiveBytes } from './image-archive.ts';

/** The archive of an image on a server, asked for in parts. Parts of two different encodings are never mixed. */
export async function remoteArchive(client: Client, ref: string): Promise<ArchiveBytes> {
  const path = `/api/v1/images/${segment(ref)}/archive`;
  const head = await client.fetchBytes(path, {}, 'HEAD');
  const sizeBytes = Number(head.headers.get('content-length'));
  const etag = head.headers.get('etag') ?? '';
  return {
    sizeBytes,
    async read(start, end) {
      const last = Math.min(end, sizeBytes) - 1;
      if (last < start) return new Uint8Array(0);
      const answer = await client.fetchBytes(path, { range: `bytes=${start}-${last}`, 'if-match': etag });
      if (answer.status !== 206) throw new CliError('the server does not answer with the part asked for.');
      try {
        return new Uint8Array(await answer.arrayBuffer());
      } catch (error) {
        throw client.broken(error);
      }
    },
  };
}
