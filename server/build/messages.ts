import type { BuildChecks, BuildProgress as PhasedProgress, RecipeOverrides } from '../core/build-ports.ts';
import type { ImageLayer } from '../core/image-layers.ts';
import type { BuildErrorCode } from './build-error.ts';

/** What happens during a build, in this order; `base` and `docker` may repeat for images that others copy from. */
export type BuildPhase = 'base' | 'docker' | 'layers' | 'pack';

export type BuildProgress = PhasedProgress & { readonly phase: BuildPhase };

export type Report = (progress: BuildProgress) => void;

/** What to build. Paths are absolute; they, `id` and the arguments leave no trace in the image. */
export interface BuildRequest {
  /** Of this build: letters, digits and dashes; names its pack and its folder. */
  readonly id: string;
  /** Name of the image; where no `source` is given, of a folder below `imagesDir` too. */
  readonly name: string;
  readonly source?: RequestSource;
  /** For ARG lines of the Dockerfile. */
  readonly buildArguments?: Readonly<Record<string, string>>;
  /** Base64 by id, for `RUN --mount=type=secret`. They are given to BuildKit and written nowhere. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** The stage to end at; the last one where it is left out. */
  readonly target?: string;
  /** The largest slot of all disk layouts that the server has, left out where it has none: a larger filesystem is built with a note. */
  readonly largestSlotBytes?: number;
  /** What counts instead of image.json. */
  readonly overrides?: RecipeOverrides;
}

/** `tar`: path of a context; `dockerfile`: its name in there. */
export type RequestSource =
  | { readonly kind: 'folder' }
  | { readonly kind: 'context'; readonly tar: string; readonly dockerfile: string }
  | { readonly kind: 'reference'; readonly reference: string };

/** A chunk that this build wrote: raw sha256, and where its frame lies in the new pack. */
export interface PackedChunk {
  readonly sha256: string;
  readonly offset: number;
  readonly bytes: number;
  readonly rawBytes: number;
}

/**
 * A finished build. For an image everything is on disk and synced under temporary names; the caller gives it its final
 * ones and commits it. `chunks` are the new ones only, in the order in which they lie in the pack.
 */
export type BuildResult = BuiltImage | BuiltTool;

export interface BuiltImage {
  readonly kind: 'os' | 'installer';
  /** `sha256:…` of index.json. */
  readonly digest: string;
  /** Length of the logical `data`: what a host without any older image fetches. */
  readonly dataBytes: number;
  /** Different chunks of the image, and how many of them were stored already. */
  readonly chunkCount: number;
  readonly reusedChunks: number;
  /** Length of the pack of new frames; 0 and no pack when every chunk was stored already. */
  readonly packBytes: number;
  readonly chunks: readonly PackedChunk[];
  /** Base first; null of an installer, which has no partition. */
  readonly layers: readonly ImageLayer[] | null;
  readonly checks: BuildChecks;
}

/** An image that is only used by other Dockerfiles. */
export interface BuiltTool {
  readonly kind: 'tool';
  /** The name in Docker: `warmboot/NAME:latest`. */
  readonly reference: string;
  readonly dockerImage: string;
}

export type ToChild =
  | {
      readonly type: 'start';
      readonly request: BuildRequest;
      readonly dataDir: string;
      readonly imagesDir: string;
    }
  /** Answers `lookup` number `ask`: frame lengths of those that are stored, in the order asked; null for the others. */
  | { readonly type: 'stored'; readonly ask: number; readonly frameBytes: readonly (number | null)[] }
  | { readonly type: 'lookup-failed'; readonly ask: number; readonly what: string }
  | { readonly type: 'stop' };

export type FromChild =
  | { readonly type: 'progress'; readonly progress: BuildProgress }
  | { readonly type: 'lookup'; readonly ask: number; readonly sha256s: readonly string[] }
  /** Some of the result's chunks; sent in parts before `done`, so that no message grows without bound. */
  | { readonly type: 'packed'; readonly chunks: readonly PackedChunk[] }
  /** `chunks` is empty here: the parent puts in what `packed` brought. */
  | { readonly type: 'done'; readonly result: BuildResult }
  | {
      readonly type: 'failed';
      readonly code: BuildErrorCode;
      readonly what: string;
      readonly checks: BuildChecks | null;
    };
