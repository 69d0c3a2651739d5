import { createHash } from 'node:crypto';
import {
  ARCHIVE_MEMBERS,
  type ArchiveHeader,
  type ArchiveMember,
  OPTIONAL_MEMBERS,
  TAR_BLOCK,
  tarHeader,
  tarPadding,
} from '../contract/image-archive.ts';
import type { ByteRange } from '../core/byte-range.ts';
import type { Digest } from '../core/digest.ts';
import type { ByteSource, ImageFile, ImageLibrary } from '../core/ports.ts';

type Part = Pick<ByteSource, 'sizeBytes' | 'read'>;

/**
 * An image as one tar, composed while it is sent: its length is known before, and any range of it can be had.
 * @returns null when there is no such image
 */
export async function imageArchive(
  library: ImageLibrary,
  digest: Digest,
  named: { readonly name: string; readonly tag: string } | null,
): Promise<ByteSource | null> {
  const header: ArchiveHeader = {
    format: 'warmboot-image',
    version: 1,
    digest,
    name: named?.name ?? null,
    tag: named?.tag ?? null,
  };
  const headerText = Buffer.from(`${JSON.stringify(header)}\n`);
  const sum = createHash('sha256').update(headerText);
  const parts: Part[] = [];
  for (const member of ARCHIVE_MEMBERS) {
    const source = member === 'warmboot-image.json' ? held(headerText) : await opened(member);
    if (!source && !OPTIONAL_MEMBERS.has(member)) return null;
    if (source)
      parts.push(held(tarHeader(member, source.sizeBytes)), source, zeros(tarPadding(source.sizeBytes)));
  }
  parts.push(zeros(2 * TAR_BLOCK));
  return {
    sizeBytes: parts.reduce((total, { sizeBytes }) => total + sizeBytes, 0),
    etag: `"${sum.digest('hex')}"`,
    read: (range, signal) => joined(parts, range, signal),
  };

  async function opened(member: Exclude<ArchiveMember, 'warmboot-image.json'>): Promise<ByteSource | null> {
    const source = await library.open(digest, member satisfies ImageFile);
    sum.update(source?.etag ?? 'none');
    return source;
  }
}

function held(bytes: Uint8Array): Part {
  async function* read({ start, end }: ByteRange): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(start, end);
  }
  return { sizeBytes: bytes.length, read };
}

function zeros(bytes: number): Part {
  return held(new Uint8Array(bytes));
}

/** A range of parts that lie one behind the other. */
async function* joined(
  parts: readonly Part[],
  { start, end }: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const { sizeBytes, read } of parts) {
    const [from, to] = [Math.max(start - at, 0), Math.min(end - at, sizeBytes)];
    if (from < to) yield* read({ start: from, end: to }, signal);
    at += sizeBytes;
  }
}
