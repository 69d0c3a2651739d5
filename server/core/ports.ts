import type { Attempt } from './attempt.ts';
import type { BuildRecord } from './build-ports.ts';
import type { ByteRange } from './byte-range.ts';
import type { Digest, ImageRef } from './digest.ts';
import type { Discovered, DiscoveryDecision, DiscoveryPolicy, PolicyEdition } from './discovery.ts';
import type { EventLog, EventQuery } from './event-port.ts';
import type { Event, NewEvent } from './events.ts';
import type { PackedSet } from './file-set.ts';
import type { Fleet } from './fleet-port.ts';
import type { Host } from './host.ts';
import type { ImageDetailStore } from './image-details-port.ts';
import type { ImageFrames, ImageIndex } from './image-index.ts';
import type { ImageLayer } from './image-layers.ts';
import type { HostLookups } from './lookup-port.ts';
import type { Mac } from './mac.ts';
import type { MirrorStore } from './mirrors-port.ts';
import type { OnceStore } from './once-port.ts';
import type { PowerLookups } from './power-port.ts';
import type { Profile } from './profile.ts';
import type { ProfileStore } from './profile-port.ts';
import type { RestoreStore } from './restore.ts';
import type { RolloutRecords, RolloutWrites, StoreRollouts } from './rollout-port.ts';
import type { TokenStore } from './token-port.ts';
import type { TrustStore } from './trust-port.ts';
import type { StoreUpkeep } from './upkeep-port.ts';
import type { WebhookStore } from './webhook-port.ts';

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
export type Scope = {
  readonly macs?: readonly Mac[];
  readonly hosts?: readonly string[];
  /** All hosts that have it. */
  readonly profile?: string;
};

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
  /** Every attempt of a host, oldest first. */
  attempts(hostId: string): readonly Attempt[];
  image(ref: ImageRef): StoredImage | null;
  inventory(hostId: string): InventoryRecord | null;
  policy(): PolicyEdition;
  profile(name: string): Profile | null;
  /** A set of files, by its sha256. */
  fileSet(sha256: string): Uint8Array | null;
  /** How many machines wait for approval or are ignored by a rule. */
  waiting(): number;
  readonly rollouts: RolloutRecords;
};

/** What a machine said of itself last, and what was decided on it. */
export type InventoryRecord = Discovered & {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Null for a host that was approved before it said anything. */
  readonly decision: DiscoveryDecision | null;
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
  readonly inventories?: readonly { readonly hostId: string; readonly record: InventoryRecord }[];
  /** A new edition of the rules for discovery. */
  readonly policy?: DiscoveryPolicy;
  readonly profile?: Profile;
  /** Sets that hosts have from now on. Those that no host has any more go by themselves. */
  readonly fileSets?: readonly PackedSet[];
  /** By name; no host has it. */
  readonly removedProfile?: string;
  readonly rollouts?: RolloutWrites;
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
  /** What its build recorded of its layers; left out where it came without. */
  readonly layers?: readonly ImageLayer[] | null;
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

/**
 * The only way in which state is kept and changed. What was written is on the disk before the call resolves; what is read may have been
 * committed a moment ago and be on its way there: see `settled`.
 */
export type Store = {
  /**
   * Gives the hosts of `scope` to `decide` and writes what it answers, all in one transaction. `decide` is
   * synchronous and pure, for it may be run again; a refusal that shall leave a trace is an answer, not a throw.
   * Calls that arrive together share one commit; each is undone alone when it fails.
   * @throws whatever `decide` throws, with nothing written
   */
  change<Answer>(scope: Scope, decide: (records: Records) => Decision<Answer>): Promise<Answer>;
  host(by: { readonly mac: Mac } | { readonly id: string }): Promise<Host | null>;
  readonly fleet: Fleet;
  readonly once: OnceStore;
  readonly profiles: ProfileStore;
  /** The files of some host as a tar, by its sha256. */
  fileSet(sha256: string): Promise<Uint8Array | null>;
  attempts(hostId: string): Promise<readonly Attempt[]>;
  /** A part of them, oldest first, behind the one with that id. */
  attemptPage(hostId: string, after: string | null, limit: number): Promise<readonly Attempt[]>;
  /** Ids of hosts whose open attempt has a deadline at or before `now`. */
  due(now: number): Promise<readonly string[]>;
  /** Ids of machines that nobody approved and that are forgotten at or before `now`, at most so many. */
  forgettable(now: number, limit: number): Promise<readonly string[]>;
  /** Ids of machines that wait for approval or are ignored, but for those an operator decided on. */
  undecided(): Promise<readonly string[]>;
  inventory(hostId: string): Promise<InventoryRecord | null>;
  policy(): Promise<PolicyEdition>;
  /** Moves every deadline to `latest` at most: the clock was set back. */
  advanceDeadlines(latest: number): Promise<void>;
  /** Moves every deadline to `earliest` at least: the hosts could not report while the server was away. */
  postponeDeadlines(earliest: number): Promise<void>;
  /** In rising order. */
  events(query: EventQuery): Promise<readonly Event[]>;
  readonly log: EventLog;
  readonly webhooks: WebhookStore;

  image(ref: ImageRef): Promise<StoredImage | null>;
  /** In the order in which they came. */
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
  readonly imageDetails: ImageDetailStore;
  packIds(): Promise<readonly string[]>;
  readonly trust: TrustStore;
  readonly upkeep: StoreUpkeep;
  readonly rollouts: StoreRollouts;
  readonly tokens: TokenStore;
  readonly lookups: HostLookups;
  readonly power: PowerLookups;
  readonly mirrors: MirrorStore;
  readonly restores: RestoreStore;

  putBuild(build: BuildRecord, events: readonly NewEvent[]): Promise<void>;
  build(id: string): Promise<BuildRecord | null>;
  /** The newest builds, in the order in which they began. @param before only those that were ordered before this one */
  builds(limit: number, before?: string): Promise<readonly BuildRecord[]>;
  /** Forgets ended builds but the newest. */
  forgetBuilds(keep: number): Promise<void>;
  /** Builds that ran or waited when the server ended become `interrupted`. */
  interruptBuilds(): Promise<readonly string[]>;
  /** Null when all that can be read outlives a power cut; else resolves when what can be read now does. Never rejects. */
  settled(): Promise<void> | null;
  /** Writes, and changes nothing. @throws what the disk says */
  probe(): Promise<void>;
  close(): void;
};

/** Something large that is sent as it is read. */
export type ByteSource = {
  readonly sizeBytes: number;
  /** Strong and quoted (RFC 9110, 8.8.3): names these very bytes. */
  readonly etag: string;
  /** How the bytes are to be undone: a content coding of HTTP. Left out where they are the thing itself. */
  readonly coding?: 'dcz';
  /**
   * Reads a range in parts; `signal` aborts when nobody wants it any more, and files are closed. Asking for the next part ends
   * the one before: its memory is used again. Who keeps a part copies it.
   */
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

/** The texts that tell of chunks: most of each stands in the index of an image that differs by little, and in each other. */
export type CodedFile = Extract<ImageFile, 'index.json' | 'frames.json'>;

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
   * @param check for readers that nobody checks behind: reading fails at a wrong byte of `data`, and before the end of any
   * other file that is read as a whole and is not what its sha256 says. `raw` is always checked
   */
  open(digest: Digest, file: ImageFile, check?: 'checked'): Promise<ByteSource | null>;
  /**
   * The same text without what it has in common with the index of the image `known`. Null also where there is no such image,
   * or the text is too long for it: then it is to be had as it is.
   */
  openCoded(digest: Digest, file: CodedFile, known: Digest): Promise<ByteSource | null>;
  /**
   * Frames.json and data that belong together: opened one after the other they may not. The data is checked. Null and errors
   * as in `open`.
   */
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
