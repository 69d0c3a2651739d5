import { type Digest, parseImageRef } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { NewEvent } from '../core/events.ts';
import { frameReader, maxFrameBytes } from '../core/frame-stream.ts';
import { filesOf, type ImageIndex, parseForeignIndex } from '../core/image-index.ts';
import { oneAtATime } from '../core/one-at-a-time.ts';
import type { Checker, Clock, NewId, PlacedChunk, Store, UploadDraft, UploadFiles } from '../core/ports.ts';
import type { UploadProgress, UploadUseCases, UploadView } from '../core/use-cases.ts';
import { explained } from './disk-full.ts';
import type { ImageKeeper } from './image-keeper.ts';
import type { Lease } from './image-leases.ts';

export type UploadContext = {
  readonly store: Pick<Store, 'image' | 'chunks'>;
  readonly keeper: Pick<ImageKeeper, 'lease' | 'commit'>;
  readonly files: UploadFiles;
  readonly startChecker: () => Checker;
  readonly clock: Clock;
  readonly newId: NewId;
  /** sha256 of a text's UTF-8 bytes, hex. */
  readonly sha256Hex: (text: string) => string;
};

type Upkeep = { expire(): Promise<void>; stop(): Promise<void> };

/** An upload that nobody has touched for so long is given up. */
const IDLE_MS = 60 * 60_000;
/** Each may hold as much of the disk as its image has. */
const MOST_UPLOADS = 32;
/** Chunks in one question to the process that checks. */
const BATCH = 2_000;

type Upload = {
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

/** Images that come as files or from another server: told what is missing, sent in parts, checked, committed at once. */
export function uploadCases(context: UploadContext): UploadUseCases & Upkeep {
  const { store, keeper, files, clock, newId, sha256Hex } = context;
  const uploads = new Map<string, Upload>();
  /** Uploads that have been let in and are not in the list yet. */
  let beginning = 0;

  function find(id: string): Upload {
    const upload = uploads.get(id);
    if (!upload)
      throw new WarmbootError(
        'not-found',
        `There is no upload ${id.slice(0, 64)}: it has expired, or the server was started anew. Begin again.`,
      );
    upload.touchedAt = clock();
    return upload;
  }

  /** Runs a task on an upload that still takes parts. */
  function work<Value>(id: string, task: (upload: Upload) => Promise<Value>): Promise<Value> {
    const upload = find(id);
    return upload.alone(() => {
      // What has come stays, and the rest can be sent when there is room.
      if (upload.state === 'open')
        return task(upload).catch((error) => {
          throw explained(error, 'go on');
        });
      find(id);
      throw new WarmbootError('conflict', `The upload ${id} is stored already; it takes no more parts.`);
    });
  }

  async function giveUp(upload: Upload): Promise<void> {
    upload.state = 'gone';
    uploads.delete(upload.id);
    try {
      await upload.draft.discard();
    } finally {
      upload.lease.release();
    }
  }

  const isFull = () => uploads.size + beginning >= MOST_UPLOADS;

  /** Between the last look and the end of this nobody else is let in. */
  async function letIn(): Promise<void> {
    if (isFull()) await expire(0);
    if (isFull())
      throw new WarmbootError('unavailable', `${MOST_UPLOADS} uploads are open already. Try again later.`);
    beginning += 1;
  }

  /** @param lengths of the index's chunks */
  async function open(
    wish: Pick<Upload, 'digest' | 'index' | 'name' | 'tag' | 'lease'>,
    indexText: string,
    lengths: ReadonlyMap<string, number>,
  ): Promise<Upload> {
    const { digest, index, lease } = wish;
    lease.pin([digest, ...lengths.keys()]);
    const [present, known] = await Promise.all([
      store.image({ kind: 'digest', digest }),
      store.chunks([...lengths.keys()]),
    ]);
    const wrong = [...lengths].find(([sha256, bytes]) => (known.get(sha256)?.rawBytes ?? bytes) !== bytes);
    if (wrong)
      throw new WarmbootError('invalid', `The index cannot be taken: chunk ${wrong[0]} has another length.`);
    const wantsFiles = present === null || present.filesDamaged;
    const id = newId();
    const wanted = new Map([...lengths].filter(([sha256]) => !known.has(sha256)));
    return {
      ...wish,
      id,
      // The last that can fail: nobody else knows of the draft yet.
      draft: await files.begin(id, indexText),
      wanted,
      came: new Map(),
      missingBytes: [...wanted.values()].reduce((sum, bytes) => sum + bytes, 0),
      files: new Map(
        wantsFiles ? filesOf(index).map(({ name, bytes }) => [name, { bytes, received: 0 }]) : [],
      ),
      alone: oneAtATime(),
      touchedAt: clock(),
      state: 'open',
    };
  }

  async function commit(upload: Upload): Promise<void> {
    const missing = upload.wanted.size - upload.came.size;
    const short = [...upload.files].find(([, { bytes, received }]) => received < bytes);
    if (missing > 0 || short)
      throw new WarmbootError(
        'conflict',
        `The upload is not complete: ${short ? `${short[0]} is not whole` : `${missing} chunks are missing`}. Send the rest first.`,
      );
    try {
      const { packBytes } = await upload.draft.seal();
      const wrong = await firstFault(upload);
      if (wrong !== null)
        throw new WarmbootError('invalid', `What was sent is not the image ${upload.digest}: ${wrong}.`);
      const { id, digest, index, name, tag } = upload;
      const chunks = [...upload.came.values()];
      await keeper.commit({ id, digest, kind: index.kind, packBytes, chunks }, { name, tag }, [
        stored(upload),
      ]);
    } catch (error) {
      await giveUp(upload);
      throw explained(error, 'send the image again');
    }
    upload.state = 'stored';
    upload.lease.release();
  }

  /** Reads everything that was sent, in a process of its own. */
  async function firstFault(upload: Upload): Promise<string | null> {
    const sent = [...upload.came.values()];
    if (sent.length === 0 && upload.files.size === 0) return null;
    const checker = context.startChecker();
    try {
      for (let at = 0; at < sent.length; at += BATCH) {
        const [fault] = await checker.chunks(sent.slice(at, at + BATCH), upload.id);
        if (fault) return fault.what;
        upload.touchedAt = clock();
      }
      if (upload.files.size === 0) return null;
      const [fault] = await checker.files(upload.digest, upload.id);
      return fault?.what ?? null;
    } finally {
      checker.close();
    }
  }

  return {
    async begin(indexText, name, tag) {
      const ref = parseImageRef(`${name}:${tag}`);
      if (ref?.kind !== 'tag')
        throw new WarmbootError(
          'invalid',
          `"${name.slice(0, 64)}:${tag.slice(0, 64)}" is no name for an image.`,
        );
      const parsed = parseForeignIndex(indexText);
      if (!parsed.ok) throw new WarmbootError('invalid', `The index cannot be taken: ${parsed.reason}.`);
      const lengths = rawLengths(parsed.value);
      const digest = `sha256:${sha256Hex(indexText)}` as Digest;
      await letIn();
      const lease = keeper.lease();
      try {
        const wish = { digest, index: parsed.value, name, tag, lease };
        const upload = await open(wish, indexText, lengths);
        uploads.set(upload.id, upload);
        return view(upload);
      } catch (error) {
        lease.release();
        throw explained(error, 'begin again');
      } finally {
        beginning -= 1;
      }
    },

    async find(id) {
      return view(find(id));
    },

    putFile: (id, name, offset, body) =>
      work(id, async (upload) => {
        const file = upload.files.get(name);
        if (!file)
          throw new WarmbootError('not-found', `This upload waits for no file ${name.slice(0, 64)}.`);
        if (offset > file.received)
          throw new WarmbootError(
            'conflict',
            `${name} has come as far as ${file.received}, not ${offset}. Go on from there.`,
          );
        const end = await upload.draft.writeFile(name, offset, file.bytes, body);
        if (end === null)
          throw new WarmbootError('invalid', `${name} has ${file.bytes} bytes; more were sent.`);
        file.received = Math.max(file.received, end);
        return progress(upload);
      }),

    putFrames: (id, body) =>
      work(id, async (upload) => {
        const reader = frameReader();
        for await (const piece of body) {
          const frames = reader.push(piece);
          if (!frames) throw new WarmbootError('invalid', 'A frame has an impossible length.');
          for (const { sha256, frame } of frames) await addFrame(upload, sha256, frame);
          upload.touchedAt = clock();
        }
        if (!reader.isWhole())
          throw new WarmbootError(
            'malformed',
            'The frames break off in the middle. Send the last one again.',
          );
        return progress(upload);
      }),

    async commit(id) {
      const upload = find(id);
      return upload.alone(async () => {
        // Asked again because the answer was lost, it is the same answer.
        if (upload.state !== 'stored') {
          find(id);
          await commit(upload);
        }
        return upload.digest;
      });
    },

    async remove(id) {
      const upload = find(id);
      await upload.alone(async () => {
        if (upload.state === 'open') await giveUp(upload);
        uploads.delete(id);
      });
    },

    expire: () => expire(IDLE_MS),

    /** Waits for a check that runs; what is open is given up. */
    async stop() {
      for (const upload of [...uploads.values()])
        await upload.alone(async () => {
          if (upload.state === 'open') await giveUp(upload);
        });
    },
  };

  async function expire(idleMs: number): Promise<void> {
    for (const upload of [...uploads.values()]) {
      if (upload.state === 'stored' && clock() - upload.touchedAt >= Math.min(idleMs, IDLE_MS))
        uploads.delete(upload.id);
      else if (clock() - upload.touchedAt >= IDLE_MS)
        await upload.alone(async () => {
          if (upload.state === 'open' && clock() - upload.touchedAt >= IDLE_MS) await giveUp(upload);
        });
    }
  }
}

async function addFrame(upload: Upload, sha256: string, frame: Uint8Array): Promise<void> {
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

/** @throws WarmbootError when one hash stands with two lengths */
function rawLengths({ chunks }: ImageIndex): Map<string, number> {
  const lengths = new Map<string, number>();
  for (const { sha256, bytes } of chunks) {
    if ((lengths.get(sha256) ?? bytes) !== bytes)
      throw new WarmbootError('invalid', `The index cannot be taken: chunk ${sha256} has two lengths.`);
    lengths.set(sha256, bytes);
  }
  return lengths;
}

function progress({ id, digest, wanted, came, missingBytes, files, state }: Upload): UploadProgress {
  return {
    id,
    digest,
    status: state === 'stored' ? 'stored' : 'open',
    missingChunks: wanted.size - came.size,
    missingBytes,
    files: [...files].map(([name, { bytes, received }]) => ({ name, bytes, received })),
  };
}

function view(upload: Upload): UploadView {
  const { wanted, came } = upload;
  return { ...progress(upload), missing: [...wanted.keys()].filter((sha256) => !came.has(sha256)) };
}

function stored({ id, digest, name, tag }: Upload): NewEvent {
  const data = { upload: id, name, tag, digest };
  return { kind: 'image-stored', hostId: null, attempt: null, actor: 'operator', reason: 'uploaded', data };
}
