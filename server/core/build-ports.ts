import type { Digest } from './digest.ts';
import type { SealedDraft } from './file-ports.ts';
import type { FilesystemType } from './image-index.ts';
import type { Store } from './ports.ts';

/** What builds need of the outside world, and what they leave in it. */

/** A step of a build, or a line that it printed. */
export type BuildProgress = {
  readonly phase: string;
  readonly message: string;
  /** True for a line that a Dockerfile's step printed. */
  readonly log?: boolean;
  /** True for what must be read: it is shown on a line of its own, not as the step that goes on. */
  readonly note?: boolean;
  /** Steps of the Dockerfile that are done, of those that are known. */
  readonly stepsDone?: number;
  readonly stepsTotal?: number;
  readonly bytesDone?: number;
  /** Left out when nobody knows how much it will be. */
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

/** What can be built by its name alone. `kind` is null where its image.json cannot be read. */
export type KnownRecipe = {
  readonly name: string;
  readonly kind: 'os' | 'installer' | 'tool' | null;
  readonly filesystem: { readonly type: FilesystemType; readonly bytes: number } | null;
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

/** What the checks of a build found: the names of those that passed, and why the others did not. */
export type BuildChecks = {
  readonly passed: readonly string[];
  readonly failed: readonly FailedCheck[];
};

export type FailedCheck = {
  readonly check: string;
  /** What is wrong and what it would lead to; one sentence without a full stop. */
  readonly message: string;
  /** A line for the Dockerfile. */
  readonly line: string;
};

/** What a build leaves: an image to commit, or a tool that only Docker keeps. */
export type Built =
  | { readonly kind: 'image'; readonly draft: SealedDraft; readonly checks?: BuildChecks | null }
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

/** `queued`: it waits until others have ended. */
export type BuildStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'interrupted';

export type BuildRecord = {
  readonly id: string;
  readonly name: string;
  readonly tag: string;
  readonly status: BuildStatus;
  readonly digest: Digest | null;
  readonly error: string | null;
  /** Null: the build has not come so far, was none of an image, or is older than that they are recorded. */
  readonly checks: BuildChecks | null;
  /** When it began; while it is queued, when it was ordered. */
  readonly startedAt: number;
  readonly endedAt: number | null;
};
