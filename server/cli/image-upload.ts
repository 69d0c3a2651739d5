import { createHash } from 'node:crypto';
import { type ImageView, imageSchema } from '../contract/images.ts';
import { type UploadWire, uploadProgressSchema, uploadSchema } from '../contract/uploads.ts';
import { CliError, UnreachableError } from './cli-error.ts';
import { type Client, segment } from './client.ts';
import type { ByteSpan, ImageArchive } from './image-archive.ts';
import { pause } from './pause.ts';
import type { Progress } from './progress.ts';
import { clean } from './text.ts';

/** What is sent in one request, about: enough for throughput, little enough to be sent again. */
const PART_BYTES = 8 * 1024 * 1024;
/** Between two wanted frames so much is read and thrown away rather than asked for apart. */
const GAP_BYTES = 256 * 1024;
const TRIES = 5;
/** Checking what was sent takes a second per GiB, about. */
const COMMIT_MS = 30 * 60_000;

export interface Uploaded {
  readonly raw: unknown;
  readonly image: ImageView;
  readonly sentChunks: number;
  readonly sentBytes: number;
}

/** Sends an image to a server: only what that server lacks. Nothing of it stays there when it fails. */
export async function uploadImage(
  client: Client,
  archive: ImageArchive,
  named: { readonly name: string; readonly tag: string },
  progress: Progress,
  signal: AbortSignal,
): Promise<Uploaded> {
  const order = { index: archive.index, name: named.name, tag: named.tag };
  const { data: upload } = await client.send('POST', '/api/v1/uploads', uploadSchema, order);
  const at = `/api/v1/uploads/${segment(upload.id)}`;
  let isDone = false;
  try {
    requireDigest(upload.digest, archive);
    const wanted = wantedFrames(archive, upload);
    const total =
      wanted.reduce((sum, { bytes }) => sum + bytes, 0) +
      upload.files.reduce((sum, { bytes }) => sum + bytes, 0);
    let sentBytes = 0;
    const put = async (path: string, bytes: Uint8Array<ArrayBuffer>, counted: number): Promise<void> => {
      await tried(() => client.put(path, bytes, uploadProgressSchema), signal);
      sentBytes += counted;
      progress.step({ phase: 'send', message: '', bytesDone: sentBytes, bytesTotal: total });
    };
    for (const { name, bytes } of upload.files) {
      const span = archive.files.get(name);
      if (!span || span.bytes !== bytes) throw new CliError(`the archive's ${name} is not the index's.`);
      for (let done = 0; done < bytes || bytes === 0; done += PART_BYTES) {
        const end = Math.min(done + PART_BYTES, bytes);
        const part = await whole(archive, span.start + done, span.start + end, signal);
        await put(`${at}/files/${segment(name)}?offset=${done}`, part, part.length);
        if (end === bytes) break;
      }
    }
    for await (const { body, frameBytes } of framedParts(archive, wanted, signal))
      await put(`${at}/frames`, body, frameBytes);
    progress.step({ phase: 'check', message: 'the server checks what came' });
    const answer = await client.send('POST', `${at}/commit`, imageSchema, undefined, {
      patienceMs: COMMIT_MS,
    });
    isDone = true;
    requireDigest(answer.data.digest, archive);
    return { raw: answer.raw, image: answer.data, sentChunks: wanted.length, sentBytes };
  } finally {
    if (!isDone) await client.takeBack(at);
  }
}

/** Whoever pins an image by its digest must not be told one that the server made up. */
function requireDigest(claimed: string, { index }: ImageArchive): void {
  const digest = `sha256:${createHash('sha256').update(index).digest('hex')}`;
  if (claimed !== digest)
    throw new CliError(
      `the server calls the image ${clean(claimed)}, but its index has the digest ${digest}. Do not use what it stored; is it a Warmboot server of this version?`,
    );
}

type Wanted = ByteSpan & { readonly chunk: string };

function wantedFrames({ frames }: ImageArchive, { missing }: UploadWire): Wanted[] {
  const wanted = missing.map((chunk) => {
    const span = frames.get(chunk);
    if (!span) throw new CliError(`the archive lacks the chunk ${chunk} of its own index. Export it again.`);
    return { ...span, chunk };
  });
  return wanted.sort((a, b) => a.start - b.start);
}

/** Frames with their heads (32 bytes sha256, 4 bytes length), gathered into parts. */
async function* framedParts(
  archive: ImageArchive,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): AsyncGenerator<{ body: Uint8Array<ArrayBuffer>; frameBytes: number }> {
  let pieces: Uint8Array[] = [];
  let [held, frameBytes] = [0, 0];
  const gathered = (): { body: Uint8Array<ArrayBuffer>; frameBytes: number } => {
    const part = { body: joined(pieces, held), frameBytes };
    pieces = [];
    [held, frameBytes] = [0, 0];
    return part;
  };
  for (const run of runs(wanted)) {
    const [first, last] = [run[0], run.at(-1)];
    if (!first || !last) continue;
    const window = await whole(archive, first.start, last.start + last.bytes, signal);
    for (const { chunk, start, bytes } of run) {
      const head = new Uint8Array(36);
      for (let i = 0; i < 32; i += 1) head[i] = Number.parseInt(chunk.slice(2 * i, 2 * i + 2), 16);
      new DataView(head.buffer).setUint32(32, bytes);
      pieces.push(head, window.subarray(start - first.start, start - first.start + bytes));
      held += 36 + bytes;
      frameBytes += bytes;
    }
    if (held >= PART_BYTES) yield gathered();
  }
  if (held > 0) yield gathered();
}

/** Frames that are read at once. */
function* runs(wanted: readonly Wanted[]): Generator<Wanted[]> {
  let run: Wanted[] = [];
  for (const each of wanted) {
    const [first, last] = [run[0], run.at(-1)];
    const fits =
      first !== undefined &&
      last !== undefined &&
      each.start - (last.start + last.bytes) <= GAP_BYTES &&
      each.start + each.bytes - first.start <= PART_BYTES;
    if (!fits && run.length > 0) {
      yield run;
      run = [];
    }
    run.push(each);
  }
  if (run.length > 0) yield run;
}

async function whole(
  { bytes }: ImageArchive,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const read = await tried(() => bytes.read(start, end), signal);
  if (read.length !== end - start) throw new CliError('the archive became shorter while it was read.');
  return read;
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Again after a broken connection: every part may be repeated. */
async function tried<Value>(task: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof UnreachableError) || tries === TRIES) throw error;
      await pause(1000, signal);
    }
  }
}
