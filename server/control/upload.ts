import type { By } from '../core/by.ts';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import type { UploadDraft } from '../core/file-ports.ts';
import { frameReader, maxFrameBytes } from '../core/frame-stream.ts';
import type { ImageIndex } from '../core/image-index.ts';
import type { oneAtATime } from '../core/one-at-a-time.ts';
import type { PlacedChunk } from '../core/ports.ts';
import type { UploadProgress, UploadView } from '../core/use-cases.ts';
import { event } from './context.ts';
import type { Lease } from './image-leases.ts';

/** An image that comes in parts: what it waits for, and what has come. */
export type Upload = {
  readonly id: string;
  readonly digest: Digest;
  readonly index: ImageIndex;
  readonly name: string;
  readonly tag: string;
  readonly draft: UploadDraft;
  readonly lease: Lease;
  /** Chunks that were not stored: sha256 → raw length. */
  readonly wanted: ReadonlyMap<string, number>;
  readonly came: Map<string, PlacedChunk>;
  /** Of those that have not come, uncompressed. */
  missingBytes: number;
  /** Files that were not stored, and how far each has come. */
  readonly files: Map<string, { readonly bytes: number; received: number }>;
  /** One request works on it at a time; a repeated one waits for the one before it. */
  readonly alone: ReturnType<typeof oneAtATime>;
  touchedAt: number;
  state: 'open' | 'stored' | 'gone';
};

/** Takes a part of a file. @throws WarmbootError */
export async function takeFile(
  upload: Upload,
  name: string,
  offset: number,
  body: AsyncIterable<Uint8Array>,
  onPiece: () => void,
): Promise<void> {
  const file = upload.files.get(name);
  if (!file) throw new WarmbootError('not-found', `This upload waits for no file ${name.slice(0, 64)}.`);
  if (offset > file.received)
    throw new WarmbootError(
      'conflict',
      `${name} has come as far as ${file.received}, not ${offset}. Go on from there.`,
    );
  const end = await upload.draft.writeFile(name, offset, file.bytes, watched(body, onPiece));
  if (end === null) throw new WarmbootError('invalid', `${name} has ${file.bytes} bytes; more were sent.`);
  file.received = Math.max(file.received, end);
}

async function* watched<Piece>(pieces: AsyncIterable<Piece>, onPiece: () => void): AsyncGenerator<Piece> {
  for await (const piece of pieces) {
    onPiece();
    yield piece;
  }
}

/** Takes frames as they come; the whole ones count when the rest does not come. @throws WarmbootError */
export async function takeFrames(
  upload: Upload,
  body: AsyncIterable<Uint8Array>,
  onPiece: () => void,
): Promise<void> {
  const reader = frameReader();
  for await (const piece of body) {
    const frames = reader.push(piece);
    if (!frames) throw new WarmbootError('invalid', 'A frame has an impossible length.');
    for (const { sha256, frame } of frames) await takeFrame(upload, sha256, frame);
    onPiece();
  }
  if (!reader.isWhole())
    throw new WarmbootError('malformed', 'The frames break off in the middle. Send the last one again.');
}

async function takeFrame(upload: Upload, sha256: string, frame: Uint8Array): Promise<void> {
  const rawBytes = upload.wanted.get(sha256);
  if (rawBytes === undefined)
    throw new WarmbootError('invalid', `The chunk ${sha256} was not asked for in this upload.`);
  if (frame.length > maxFrameBytes(rawBytes))
    throw new WarmbootError('invalid', `The frame of chunk ${sha256} is longer than a frame of it can be.`);
  // Sent again after a broken connection.
  if (upload.came.has(sha256)) return;
  const offset = await upload.draft.append(frame);
  upload.came.set(sha256, { sha256, packId: upload.id, offset, bytes: frame.length, rawBytes });
  upload.missingBytes -= rawBytes;
}

/** @throws WarmbootError while something is missing */
export function requireWhole(upload: Upload): void {
  const missing = upload.wanted.size - upload.came.size;
  const short = [...upload.files].find(([, { bytes, received }]) => received < bytes);
  if (missing > 0 || short)
    throw new WarmbootError(
      'conflict',
      `The upload is not complete: ${short ? `${short[0]} is not whole` : `${missing} chunks are missing`}. Send the rest first.`,
    );
}

/** Length of each different chunk, uncompressed. @throws WarmbootError when one hash stands with two lengths */
export function rawLengths({ chunks }: ImageIndex): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const { sha256, bytes } of chunks) {
    if ((lengths.get(sha256) ?? bytes) !== bytes)
      throw new WarmbootError('invalid', `The index cannot be taken: chunk ${sha256} has two lengths.`);
    lengths.set(sha256, bytes);
  }
  return lengths;
}

export function progress({ id, digest, wanted, came, missingBytes, files, state }: Upload): UploadProgress {
  return {
    id,
    digest,
    status: state === 'stored' ? 'stored' : 'open',
    missingChunks: wanted.size - came.size,
    missingBytes,
    files: [...files].map(([name, { bytes, received }]) => ({ name, bytes, received })),
  };
}

export function view(upload: Upload): UploadView {
  const { wanted, came } = upload;
  return { ...progress(upload), missing: [...wanted.keys()].filter((sha256) => !came.has(sha256)) };
}

/** For the log. */
export function stored(by: By, { id, digest, name, tag }: Upload): NewEvent {
  return event('image-stored', null, by, 'uploaded', { upload: id, name, tag, digest });
}
