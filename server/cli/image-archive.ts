import {
  ARCHIVE_MEMBERS,
  type ArchiveHeader,
  type ArchiveMember,
  archiveFramesSchema,
  archiveHeaderSchema,
  OPTIONAL_MEMBERS,
  readTarHeader,
  TAR_BLOCK,
  tarPadding,
} from '../contract/image-archive.ts';
import { CliError } from './cli-error.ts';

/** Where an archive is read from: a file, or a server that composes it. */
export interface ArchiveBytes {
  readonly sizeBytes: number;
  /** Fewer bytes than asked for where it ends before. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** An archive whose members were found; nothing of their content is believed before the server has checked it. */
export interface ImageArchive {
  readonly header: ArchiveHeader;
  readonly index: string;
  readonly files: ReadonlyMap<string, ByteSpan>;
  /** Frames by chunk, places in the archive. */
  readonly frames: ReadonlyMap<string, ByteSpan>;
  readonly bytes: ArchiveBytes;
}

export interface ByteSpan {
  readonly start: number;
  readonly bytes: number;
}

/** What is held in memory at once, at most. */
const MOST_BYTES: Readonly<Partial<Record<ArchiveMember, number>>> = {
  'warmboot-image.json': 64 * 1024,
  'index.json': 192 * 1024 * 1024,
  'frames.json': 192 * 1024 * 1024,
};

/**
 * Reads an archive's structure. It holds its members in their order and nothing else, so no name in it is ever used.
 * @param what names it to people
 * @throws CliError for what is no archive of an image
 */
export async function openArchive(bytes: ArchiveBytes, what: string): Promise<ImageArchive> {
  const refuse = (why: string): CliError =>
    new CliError(`${what} is no image that warmboot exported: ${why}. Export it again.`);
  const members = new Map<ArchiveMember, ByteSpan>();
  let at = 0;
  for (const name of ARCHIVE_MEMBERS) {
    const block = await bytes.read(at, at + TAR_BLOCK);
    const isEnd = block.length === TAR_BLOCK && block.every((byte) => byte === 0);
    const found = isEnd ? null : readTarHeader(block);
    if (OPTIONAL_MEMBERS.has(name) && (isEnd || (found && found.name !== name))) continue;
    if (!found)
      throw refuse(block.length < TAR_BLOCK ? 'it ends too early' : 'it holds what is no plain file');
    if (found.name !== name)
      throw refuse(`it holds ${JSON.stringify(found.name.slice(0, 100))} where ${name} belongs`);
    const start = at + TAR_BLOCK;
    if (start + found.bytes > bytes.sizeBytes) throw refuse(`it ends within ${name}`);
    members.set(name, { start, bytes: found.bytes });
    at = start + found.bytes + tarPadding(found.bytes);
  }
  const trailer = await bytes.read(at, bytes.sizeBytes);
  if (trailer.length !== 2 * TAR_BLOCK || trailer.some((byte) => byte !== 0))
    throw refuse(trailer.length < 2 * TAR_BLOCK ? 'it ends too early' : 'something follows its last member');

  const text = async (name: ArchiveMember): Promise<string> => {
    const span = members.get(name);
    if (!span || span.bytes > (MOST_BYTES[name] ?? 0)) throw refuse(`${name} is too large`);
    const content = await bytes.read(span.start, span.start + span.bytes);
    if (content.length !== span.bytes) throw refuse(`it ends within ${name}`);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(content);
  };
  const header = archiveHeaderSchema.safeParse(json(await text('warmboot-image.json')));
  if (!header.success) throw refuse('its header is not understood, perhaps it is of a newer version');
  const laid = archiveFramesSchema.safeParse(json(await text('frames.json')));
  if (!laid.success) throw refuse('frames.json is not understood');
  const data = members.get('data') ?? { start: 0, bytes: 0 };
  if (laid.data.bytes !== data.bytes) throw refuse('data is not as long as frames.json says');
  const frames = new Map<string, ByteSpan>();
  for (const { offset, bytes: length, chunk } of laid.data.frames) {
    if (offset + length > data.bytes) throw refuse('frames.json reaches beyond data');
    frames.set(chunk, { start: data.start + offset, bytes: length });
  }
  const files = new Map(
    [...members].filter(([name]) => name === 'kernel' || name === 'initrd' || name === 'loader'),
  );
  return { header: header.data, index: await text('index.json'), files, frames, bytes };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
