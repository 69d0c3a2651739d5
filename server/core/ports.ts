import type { Attempt } from './attempt.ts';
import type { ByteRange } from './byte-range.ts';
import type { Digest, ImageRef } from './digest.ts';
import type { Event, NewEvent } from './events.ts';
import type { Host } from './host.ts';
import type { FilesystemType, ImageFrames, ImageIndex } from './image-index.ts';
import type { Mac } from './mac.ts';

/** What the use cases need of the outside world. Each is given by one room; `app.ts` joins them. */

/** Milliseconds since 1970. */
export type Clock = () => number;
/** A new random id, short enough for a kernel command line. */
export type NewId = () => string;

/** Fields first, then a fixed text: what pino takes. Each room gets a child with its name. */
export type Logger = {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
};

/** The hosts that a change reads and may write, by any of their MACs or by id. */
export type Scope = { readonly macs?: readonly Mac[]; readonly hosts?: readonly string[] };

/** A report's number and the hash of its body, kept so that its repetition is known. */
export type ReportKey = {
  readonly hostId: string;
  readonly bootId: string;
  readonly seq: number;
  readonly bodyHash: string;
};

/** What a decision may look at besides the hosts in its scope; reads inside the same transaction. */
export type Records = {
  readonly hosts: readonly Host[];
  readonly reports: {
    bodyHash(key: Omit<ReportKey, 'bodyHash'>): string | null;
    bootKnown(hostId: string, bootId: string): boolean;
  };
  image(ref: ImageRef): StoredImage | null;
};

/** The outcome of a decision: everything it writes, in one transaction, and what the caller is told. */
export type Decision<Answer> = {
  readonly answer: Answer;
  /** Hosts as they shall be: new ones, or ones of the scope. An attempt in them with a new id is added. */
  readonly hosts?: readonly Host[];
  /** Attempts that ended to make room for the hosts' present ones. */
  readonly ended?: readonly Attempt[];
  readonly removed?: readonly string[];
  readonly reports?: readonly ReportKey[];
  readonly events?: readonly NewEvent[];
};

export type StoredImage = {
  readonly digest: Digest;
  readonly kind: 'os' | 'installer';
  readonly createdAt: number;
  /** Length of `data`: all frames together. */
  readonly dataBytes: number;
  /** Chunks that a check found damaged and that nothing has brought back yet; the image cannot be served until then. */
  readonly missingChunks: number;
  /** A check found its index, kernel or initrd damaged. */
  readonly filesDamaged: boolean;
  readonly tags: readonly { readonly name: string; readonly tag: string; readonly updatedAt: number }[];
};

/** Where a chunk's frame lies. */
export type ChunkPlace = {
  readonly packId: string;
  readonly offset: number;
  /** Length of the frame. */
  readonly bytes: number;
  readonly rawBytes: number;
};

/** A chunk and its place. */
export type PlacedChunk = ChunkPlace & { readonly sha256: string };

/** An image to commit. Its pack and its folder lie under their final names already. */
export type NewImage = {
  readonly digest: Digest;
  readonly kind: 'os' | 'installer';
  /** What was written for it; null when every chunk was stored. */
  readonly pack: { readonly id: string; readonly bytes: number } | null;
  /** The chunks in that pack. Where one has a row by now, that row stays and this frame is dead. */
  readonly chunks: readonly {
    readonly sha256: string;
    readonly offset: number;
    readonly bytes: number;
    readonly rawBytes: number;
  }[];
  /** Every different chunk of its index. */
  readonly uses: readonly { readonly sha256: string; readonly rawBytes: number }[];
};

/** What a commit came to. */
export type ImageCommit = {
  /** False when each of its chunks had a row by then: nobody will ever read its pack. */
  readonly packUsed: boolean;
  /** The image that the tag named before. */
  readonly untagged: Digest | null;
};

/** A step of a build, or a line that it printed. Without `bytesTotal` nobody knows yet how much it will be. */
export type BuildProgress = {
  readonly phase: string;
  readonly message: string;
  readonly log?: boolean;
  /** True for what must be read: it is shown on a line of its own, not as the step that goes on. */
  readonly note?: boolean;
  readonly stepsDone?: number;
  readonly stepsTotal?: number;
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
};

/** Where an image comes from. `context`: what was sent to the spool; `dockerfile` is a name in it. */
export type BuildSource =
  | { readonly kind: 'folder' }
  | { readonly kind: 'context'; readonly digest: Digest; readonly dockerfile: string }
  | { readonly kind: 'reference'; readonly reference: string };

/** What an order says instead of image.json. */
export type RecipeOverrides = {
  readonly filesystem?: FilesystemType;
  readonly sizeBytes?: number;
  readonly append?: string;
  /** Add Warmboot's agent where the image has none. */
  readonly addAgent?: boolean;
};

/** What to build, and how. */
export type BuildOrder = {
  readonly name: string;
  readonly tag: string;
  readonly source: BuildSource;
  /** The Dockerfile's stage to end at; null: the last. */
  readonly target: string | null;
  readonly buildArguments: Readonly<Record<string, string>>;
  /** Base64 by id. They go to the builder and nowhere else: into no row, log, event or error. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly overrides: RecipeOverrides;
};

/** Keeps the contexts that clients send, as files, until their builds have ended. */
export type ContextSpool = {
  /** @returns the length; null when it is not here (any more) */
  find(digest: Digest): Promise<{ readonly bytes: number } | null>;
  /**
   * Takes a context in. What is here already is not read.
   * @throws WarmbootError `too-large`, or `invalid` when the content has another hash
   */
  put(
    digest: Digest,
    content: AsyncIterable<Uint8Array>,
    announcedBytes: number | null,
  ): Promise<{ readonly bytes: number }>;
  /** Holds a context for a build. @returns null when it is not here (any more) */
  hold(digest: Digest): Promise<{ readonly path: string; release(): Promise<void> } | null>;
};

/** What builds said, as their processes wrote it down. */
export type BuildLogs = {
  read(id: string): AsyncIterable<BuildProgress>;
  /** Removes what was kept of all other builds. */
  keepOnly(isKept: (id: string) => boolean): Promise<void>;
};

/** An image that lies synced under temporary names, `id` being the build's or the upload's: not visible before it is committed. */
export type SealedDraft = Omit<NewImage, 'uses' | 'pack'> & {
  readonly id: string;
  readonly packBytes: number;
};

/** What a build leaves: an image to commit, or a tool that only Docker keeps. */
export type Built =
  | { readonly kind: 'image'; readonly draft: SealedDraft }
  | { readonly kind: 'tool'; readonly dockerImage: string };

/** Runs a build to its end, outside the server's own process. */
export type Builder = (
  build: { readonly id: string; readonly order: BuildOrder; readonly contextPath: string | null },
  told: {
    /** Which chunks are stored; they stay until the build has ended. */
    readonly lookup: Store['chunks'];
    onProgress(progress: BuildProgress): void;
    readonly signal: AbortSignal;
  },
) => Promise<Built>;

export type BuildStatus = 'running' | 'succeeded' | 'failed' | 'interrupted';
export type BuildRecord = {
  readonly id: string;
  readonly name: string;
  readonly tag: string;
  readonly status: BuildStatus;
  readonly digest: Digest | null;
  readonly error: string | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
};

/** The only way in which state is kept and changed. */
export type Store = {
  /**
   * Gives the hosts of `scope` to `decide` and writes what it answers, all in one transaction. `decide` is
   * synchronous and pure, for it may be run again; a refusal that shall leave a trace is an answer, not a throw.
   * Calls that arrive together share one commit; each is undone alone when it fails.
   * @throws whatever `decide` throws, with nothing written
   */
  change<Answer>(scope: Scope, decide: (records: Records) => Decision<Answer>): Promise<Answer>;
  host(by: { readonly mac: Mac } | { readonly id: string }): Promise<Host | null>;
  hosts(): Promise<readonly Host[]>;
  attempts(hostId: string): Promise<readonly Attempt[]>;
  /** Ids of hosts whose open attempt has a deadline at or before `now`. */
  due(now: number): Promise<readonly string[]>;
  /** Moves every deadline to `earliest` at least: the hosts could not report while the server was away. */
  postponeDeadlines(earliest: number): Promise<void>;
  /** Events after `afterId` in rising order, or with `newest` the last ones, still in rising order. */
  events(query: {
    afterId?: number;
    newest?: boolean;
    hostId?: string;
    limit: number;
  }): Promise<readonly Event[]>;

  image(ref: ImageRef): Promise<StoredImage | null>;
  images(): Promise<readonly StoredImage[]>;
  /**
   * Makes an image visible: image, tag, build and events in one transaction, after its chunks in parts that nobody sees.
   * Of two frames of one chunk the first row wins, and frames.json follows from the rows. The caller pins the chunks.
   * @throws WarmbootError when a chunk of the image has no row; then nothing is visible, and what was written is collected
   */
  commitImage(
    image: NewImage,
    tag: { readonly name: string; readonly tag: string },
    events: readonly NewEvent[],
    build?: BuildRecord,
  ): Promise<ImageCommit>;
  chunks(sha256s: readonly string[]): Promise<ReadonlyMap<string, ChunkPlace>>;
  packIds(): Promise<readonly string[]>;
  readonly upkeep: StoreUpkeep;

  putBuild(build: BuildRecord, events: readonly NewEvent[]): Promise<void>;
  build(id: string): Promise<BuildRecord | null>;
  /** The newest builds, in the order in which they began. */
  builds(limit: number): Promise<readonly BuildRecord[]>;
  /** Forgets ended builds but the newest. */
  forgetBuilds(keep: number): Promise<void>;
  /** Builds that ran when the server ended become `interrupted`. */
  interruptBuilds(): Promise<readonly string[]>;
  close(): void;
};

/** Why a host needs an image; `slot`: it lies in a slot that could be booted. */
export type ImageNeed = { readonly mac: string; readonly why: 'assigned' | 'attempt' | 'runs' | 'slot' };
/** How much of a pack is alive. */
export type PackUse = { readonly id: string; readonly bytes: number; readonly liveBytes: number };
/** Whether a running build or upload counts on a chunk (64 hex digits) or an image (`sha256:…`). Asked within a transaction. */
export type IsPinned = (name: string) => boolean;

/**
 * What keeps the store clean. Each call is one short transaction, and each may be the last before a crash: what is left
 * to do is found again.
 */
export type StoreUpkeep = {
  needs(digest: Digest): Promise<readonly ImageNeed[]>;
  /**
   * Takes a tag away, or all tags of a digest. `decide` throws to refuse it, or answers with the events to write.
   * @returns null when there is no such image
   */
  removeTags(
    ref: ImageRef,
    decide: (facts: {
      readonly digest: Digest;
      readonly tagsLeft: number;
      readonly needs: readonly ImageNeed[];
    }) => readonly NewEvent[],
  ): Promise<{ readonly digest: Digest; readonly tagsRemoved: number } | null>;
  /** Removes the rows of images without tag that nobody needs. From then on they do not exist. */
  dropUnneeded(isPinned: IsPinned): Promise<readonly Digest[]>;
  /** Clears a part of what removed images used. @returns false when nothing was left to clear */
  clearUses(): Promise<boolean>;
  /** Removes the rows of unused chunks among the next ones after `after`. `next` is null at the end. */
  sweepChunks(
    after: string | null,
    isPinned: IsPinned,
  ): Promise<{ readonly next: string | null; readonly removedBytes: number }>;
  /** The next pack by id. */
  nextPack(after: string | null): Promise<PackUse | null>;
  /** Chunks of a pack that have a row, in the order in which they lie, a part at a time. */
  packFrames(packId: string, afterOffset: number): Promise<readonly PlacedChunk[]>;
  /**
   * Moves chunks to their new places in pack `to`, those that are still in `from`; in parts, for both packs can be read.
   * @returns whether each pack has a row afterwards: `to` unless none was left to move, `from` if it still has any
   */
  movePack(
    from: string,
    to: string,
    bytes: number,
    moved: readonly { readonly sha256: string; readonly offset: number }[],
  ): Promise<{ readonly hasFrom: boolean; readonly hasTo: boolean }>;
  /** @returns whether it was empty and is gone */
  dropPack(id: string): Promise<boolean>;
  /**
   * Removes the rows of damaged chunks, where they still lie where the damage was found: the next build, import or
   * push stores them anew. @returns the images that use each of them
   */
  dropDamaged(
    found: readonly Pick<PlacedChunk, 'sha256' | 'packId' | 'offset'>[],
  ): Promise<ReadonlyMap<string, readonly Digest[]>>;
  markFilesDamaged(digest: Digest): Promise<void>;
  /** The next image by its number; begin with 0. */
  nextImage(after: number): Promise<{ readonly id: number; readonly digest: Digest } | null>;
  totals(): Promise<{ readonly chunks: number; readonly bytes: number }>;
};

/**
 * The files of the store: drafts of images, images and packs. Only the server's own process gives anything its final
 * name, so what a child of a dead server still writes never becomes visible.
 */
export type ImageFiles = {
  /**
   * Gives pack and folder of a sealed draft their final names. A folder that is there is never moved: only those of its
   * files that are damaged are replaced.
   * @returns the index, checked against its digest
   */
  publish(draft: string, digest: Digest): Promise<ImageIndex>;
  /** Removes what is left of a draft; its pack only when it was not committed. */
  discardDraft(draft: string, keepPack?: boolean): Promise<void>;
  /** Removes an image's folder. @returns the bytes it had */
  removeImage(digest: Digest): Promise<number>;
  /** Tells readers to look up anew where chunks lie; comes after every commit that moved or removed any. */
  moved(): void;
  /** Removes a pack that no row knows: now, or where it is being read, when its last reader has ended. */
  removePack(id: string): Promise<void>;
  /** Copies frames into a new, synced pack. @returns its length and where they lie in it */
  copyFrames(
    to: string,
    batches: AsyncIterable<readonly PlacedChunk[]>,
  ): Promise<{ readonly bytes: number; readonly moved: { sha256: string; offset: number }[] }>;
};

/** Reads what is stored, or what lies in a draft, in a process of its own. `what` is for people and names the place. */
export type Checker = {
  chunks(
    chunks: readonly PlacedChunk[],
    draft?: string | null,
  ): Promise<readonly (Pick<PlacedChunk, 'sha256' | 'packId' | 'offset'> & { readonly what: string })[]>;
  /** Index, kernel and initrd. */
  files(
    digest: Digest,
    draft?: string | null,
  ): Promise<readonly { readonly file: string; readonly what: string }[]>;
  close(): void;
};

/** The files of an upload while it comes in; they become the draft that is committed. */
export type UploadFiles = {
  /** Begins a draft with its index. */
  begin(id: string, indexText: string): Promise<UploadDraft>;
};
export type UploadDraft = {
  /** Writes a part of a file. @returns where it ends; null when it would reach beyond `limit` */
  writeFile(
    name: string,
    offset: number,
    limit: number,
    body: AsyncIterable<Uint8Array>,
  ): Promise<number | null>;
  /** Adds a frame to the pack. @returns where it begins there */
  append(frame: Uint8Array): Promise<number>;
  /** Syncs everything. @returns length of the pack; 0 and no pack when there is no frame */
  seal(): Promise<{ readonly packBytes: number }>;
  /** Removes all of it. */
  discard(): Promise<void>;
};

/** Something large that is sent as it is read. */
export type ByteSource = {
  readonly sizeBytes: number;
  /** Strong and quoted (RFC 9110, 8.8.3): names these very bytes. */
  readonly etag: string;
  /** Reads a range in parts; `signal` aborts when nobody wants it any more, and files are closed. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Opens all that it is read from, to be called before its length is promised to anybody. Left out where nothing can be
   * taken away.
   * @throws WarmbootError when it was removed, or is not these bytes any more
   */
  hold?(): Promise<HeldBytes>;
};

/** Can be read to its end, whatever is removed meanwhile, until it is released. */
export type HeldBytes = Pick<ByteSource, 'read'> & { release(): Promise<void> };

/**
 * The files of an image as hosts fetch them: `data` is its frames, `raw` the partition; `loader`, of an installer, the boot
 * loader's files as a newc archive.
 */
export const IMAGE_FILES = [
  'index.json',
  'frames.json',
  'data',
  'raw',
  'kernel',
  'initrd',
  'loader',
] as const;
export type ImageFile = (typeof IMAGE_FILES)[number];

/** How the chunks of an image are stored, all from one moment: `frames` says where each lies in this `data`. */
export type ImageEncoding = {
  readonly frames: ImageFrames;
  readonly framesJson: ByteSource;
  /** Null for an installer. */
  readonly data: ByteSource | null;
};

/** Stored images, as bytes and as what their index says (kept at hand). */
export type ImageLibrary = {
  /**
   * @returns null when the image does not exist, or has no such file (an installer has no partition)
   * @throws WarmbootError `unavailable` while it is known to be damaged
   */
  open(digest: Digest, file: ImageFile): Promise<ByteSource | null>;
  /** Frames.json and data that belong together: opened one after the other they may not. Null and errors as in `open`. */
  encoding(digest: Digest): Promise<ImageEncoding | null>;
  /**
   * @returns null when the image does not exist (any more)
   * @throws WarmbootError `unavailable` when its index.json is damaged
   */
  index(digest: Digest): Promise<ImageIndex | null>;
};

/** Tells waiting requests that something about a host may have changed. */
export type Wakes = {
  wake(hostId: string): void;
  /** @returns how to stop listening */
  listen(hostId: string, onWake: () => void): () => void;
};
