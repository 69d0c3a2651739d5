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
import type { Digest } from '../core/digest.ts';
import { bytesSource } from '../core/held-bytes.ts';
import type { ByteSource, ImageLibrary } from '../core/ports.ts';
import { concatenate, made, part, type Segment, zeros } from '../core/segments.ts';

/**
 * An image as one tar, composed while it is sent: its length is known before, and any range of it can be had. What is stored
 * wrong breaks it off, for whoever keeps it may look into it in a year.
 * @returns null when there is no such image
 */
export async function imageArchive(
  library: ImageLibrary,
  digest: Digest,
  named: { readonly name: string; readonly tag: string } | null,
): Promise<ByteSource | null> {
  const encoding = await library.encoding(digest);
  if (!encoding) return null;
  const header: ArchiveHeader = {
    format: 'warmboot-image',
    version: 1,
    digest,
    name: named?.name ?? null,
    tag: named?.tag ?? null,
  };
  const headerText = Buffer.from(`${JSON.stringify(header)}\n`);
  const etag = createHash('sha256').update(headerText);
  const segments: Segment[] = [];
  for (const member of ARCHIVE_MEMBERS) {
    const source = await opened(member);
    if (!source && !OPTIONAL_MEMBERS.has(member)) return null;
    etag.update(source?.etag ?? 'none');
    if (!source) continue;
    const { sizeBytes } = source;
    segments.push(
      made(tarHeader(member, sizeBytes)),
      part(source, 0, sizeBytes),
      zeros(tarPadding(sizeBytes)),
    );
  }
  segments.push(zeros(2 * TAR_BLOCK));
  return concatenate(segments, `"${etag.digest('hex')}"`);

  async function opened(member: ArchiveMember): Promise<ByteSource | null> {
    switch (member) {
      case 'warmboot-image.json':
        return bytesSource(headerText, '');
      case 'frames.json':
        return encoding?.framesJson ?? null;
      case 'data':
        return encoding?.data ?? null;
      default:
        return library.open(digest, member, 'checked');
    }
  }
}
