import type { Attempt } from './attempt.ts';
import type { ByteRange } from './byte-range.ts';
import type { Digest, ImageRef } from './digest.ts';
import type { Event, NewEvent } from './events.ts';
import type { Host } from './host.ts';
import type { ImageIndex } from './image-index.ts';
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
  /** sha256 of frames.json, hex: names the encoding, of which `data` follows. */
  readonly framesHash: string;
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

export type NewImage = {
  readonly digest: Digest;
  readonly kind: 'os' | 'installer';
  readonly dataBytes: number;
  readonly framesHash: string;
  readonly pack: { readonly id: string; readonly bytes: number } | null;
  readonly chunks: readonly {
    readonly sha256: string;
    readonly offset: number;
    readonly bytes: number;
    readonly rawBytes: number;
  }[];
};

/** A step of a build, or a line that it printed. */
export type BuildProgress = {
  readonly phase: string;
  readonly message: string;
  readonly log?: boolean;
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
};

/** What a build leaves: an image to commit, or a tool that only Docker keeps. */
export type Built =
  | { readonly kind: 'image'; readonly image: NewImage }
  | { readonly kind: 'tool'; readonly dockerImage: string };

/** Runs a build to its end, outside the server's own process. */
export type Builder = (
  build: { readonly id: string; readonly name: string },
  told: { onProgress(progress: BuildProgress): void; readonly signal: AbortSignal },
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
  /** Makes an image visible, with its tag, in one commit. An image that exists keeps its first encoding. */
  commitImage(
    image: NewImage,
    tag: { name: string; tag: string },
    events: readonly NewEvent[],
  ): Promise<void>;
  chunks(sha256s: readonly string[]): Promise<ReadonlyMap<string, ChunkPlace>>;
  packIds(): Promise<readonly string[]>;

  putBuild(build: BuildRecord): Promise<void>;
  build(id: string): Promise<BuildRecord | null>;
  /** Builds that ran when the server ended become `interrupted`. */
  interruptBuilds(): Promise<readonly string[]>;
  close(): void;
};

/** Something large that is sent as it is read. */
export type ByteSource = {
  readonly sizeBytes: number;
  /** Strong and quoted (RFC 9110, 8.8.3): names these very bytes. */
  readonly etag: string;
  /** Reads a range in parts; `signal` aborts when nobody wants it any more, and files are closed. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
};

/** The files of an image as hosts fetch them: `data` is its frames, `raw` the partition. */
export const IMAGE_FILES = ['index.json', 'frames.json', 'data', 'raw', 'kernel', 'initrd'] as const;
export type ImageFile = (typeof IMAGE_FILES)[number];

/** Stored images, as bytes and as what their index says (kept at hand). */
export type ImageLibrary = {
  /** @returns null when the image does not exist, or has no such file (an installer has no partition) */
  open(digest: Digest, file: ImageFile): Promise<ByteSource | null>;
  /** @returns null when the image does not exist (any more) */
  index(digest: Digest): Promise<ImageIndex | null>;
};

/** Tells waiting requests that something about a host may have changed. */
export type Wakes = {
  wake(hostId: string): void;
  /** @returns how to stop listening */
  listen(hostId: string, onWake: () => void): () => void;
};
