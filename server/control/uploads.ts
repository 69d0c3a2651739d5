import type { By } from '../core/by.ts';
import { type Digest, parseImageRef } from '../core/digest.ts';
import { explained } from '../core/disk-trouble.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Checker, UploadFiles } from '../core/file-ports.ts';
import { filesOf, parseForeignIndex } from '../core/image-index.ts';
import { requireInstallerKind } from '../core/installer.ts';
import { oneAtATime } from '../core/one-at-a-time.ts';
import type { Clock, NewId, Store } from '../core/ports.ts';
import type { UploadUseCases } from '../core/use-cases.ts';
import type { ImageKeeper } from './image-keeper.ts';
import {
  progress,
  rawLengths,
  requireWhole,
  stored,
  takeFile,
  takeFrames,
  type Upload,
  view,
} from './upload.ts';
import { firstFault } from './upload-check.ts';

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
/** And one that has not been heard of for so long goes where another needs its place. */
const YIELD_MS = 5 * 60_000;

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
    touch(upload);
    return upload;
  }

  function touch(upload: Upload): void {
    upload.touchedAt = clock();
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

  /** Nothing is waited for between the last look and letting in: uploads that begin together count one another. */
  async function letIn(): Promise<void> {
    if (isFull()) await expire(0);
    for (let idlest = longestIdle(); isFull() && idlest; idlest = longestIdle())
      await giveUpIdle(idlest, YIELD_MS);
    if (isFull())
      throw new WarmbootError('unavailable', `${MOST_UPLOADS} uploads are under way. Try again later.`);
    beginning += 1;
  }

  function longestIdle(): Upload | undefined {
    const idle = [...uploads.values()].filter((each) => each.state === 'open' && idleMs(each) > YIELD_MS);
    return idle.sort((a, b) => a.touchedAt - b.touchedAt)[0];
  }

  const idleMs = ({ touchedAt }: Upload) => clock() - touchedAt;

  /** Behind what it does right now, and only if that has not touched it. */
  function giveUpIdle(upload: Upload, least: number): Promise<void> {
    return upload.alone(async () => {
      if (upload.state === 'open' && idleMs(upload) >= least) await giveUp(upload);
    });
  }

  /** Looks up what is missing. @param lengths of the index's chunks */
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

  async function commit(by: By, upload: Upload): Promise<void> {
    requireWhole(upload);
    try {
      const { packBytes } = await upload.draft.seal();
      const wrong = await firstFault(upload, context.startChecker, () => touch(upload));
      if (wrong !== null)
        throw new WarmbootError('invalid', `What was sent is not the image ${upload.digest}: ${wrong}.`);
      const { id, digest, index, name, tag } = upload;
      const chunks = [...upload.came.values()];
      await keeper.commit({ id, digest, kind: index.kind, packBytes, chunks }, { name, tag }, [
        stored(by, upload),
      ]);
    } catch (error) {
      await giveUp(upload);
      throw explained(error, 'send the image again');
    }
    upload.state = 'stored';
    upload.lease.release();
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
      // Before anything is sent for nothing; the commit is what counts.
      requireInstallerKind(ref, parsed.value.kind);
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
        await takeFile(upload, name, offset, body, () => touch(upload));
        return progress(upload);
      }),

    putFrames: (id, body) =>
      work(id, async (upload) => {
        await takeFrames(upload, body, () => touch(upload));
        return progress(upload);
      }),

    async commit(by, id) {
      const upload = find(id);
      return upload.alone(async () => {
        // Asked again because the answer was lost, it is the same answer.
        if (upload.state !== 'stored') {
          find(id);
          await commit(by, upload);
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

  /** @param storedMs how long one that is stored is remembered, for whoever asks once more */
  async function expire(storedMs: number): Promise<void> {
    for (const upload of [...uploads.values()]) {
      if (upload.state === 'stored' && idleMs(upload) >= storedMs) uploads.delete(upload.id);
      else if (idleMs(upload) >= IDLE_MS) await giveUpIdle(upload, IDLE_MS);
    }
  }
}
