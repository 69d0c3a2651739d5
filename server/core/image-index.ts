import { type ByteExtent, CHUNKING, MAX_CHUNK_BYTES } from './chunks.ts';
import { type Digest, parseDigest } from './digest.ts';
import { MAX_ARGUMENTS_LENGTH, unsafeCharacter } from './kernel-arguments.ts';

/**
 * index.json v1 describes an image; the image's digest is the sha256 of its bytes. So there is exactly one way to
 * write it (key order as declared here, no spaces, a newline at the end), and nothing in it that two builds of one
 * Docker image could disagree on: no name, date, host or key.
 */
export interface ImageIndex {
  readonly version: 1;
  /** Abilities that a reader must have; it refuses an entry that it does not know, and passes over unknown keys. */
  readonly requires: readonly string[];
  /** `os`: a partition with kernel and initrd. `installer`: kernel and initrd only, for netboot. */
  readonly kind: 'os' | 'installer';
  /** As Docker calls it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** From the image's /etc/os-release: ID, VERSION_ID (may be empty), PRETTY_NAME. */
  readonly os: { readonly id: string; readonly version: string; readonly name: string };
  /** Null for an installer. */
  readonly filesystem: {
    readonly type: FilesystemType;
    readonly bytes: number;
    readonly uuid: string;
  } | null;
  /** `release` is what `uname -r` will say. */
  readonly kernel: { readonly release: string; readonly bytes: number; readonly sha256: string };
  readonly initrd: { readonly bytes: number; readonly sha256: string };
  /** The boot loader's files, which whole disks are composed with. Only of an installer; absent in those of older builds. */
  readonly loader?: { readonly bytes: number; readonly sha256: string };
  /** Kernel arguments of the image itself; the manifest adds root, slot and attempt. */
  readonly append: string;
  readonly chunking: typeof CHUNKING;
  /** Offsets rise and do not overlap; ranges of the partition in no chunk read as zeros. Empty for an installer. */
  readonly chunks: readonly IndexChunk[];
}

export const FILESYSTEM_TYPES = ['ext4', 'xfs'] as const;
export type FilesystemType = (typeof FILESYSTEM_TYPES)[number];

/** How long a filesystem of each type can be made, in bytes. */
export const FILESYSTEM_BYTES: Readonly<
  Record<FilesystemType, { readonly min: number; readonly max: number }>
> = {
  ext4: { min: 16 * 1024 ** 2, max: 16 * 1024 ** 4 },
  xfs: { min: 64 * 1024 ** 2, max: 16 * 1024 ** 4 },
};

/** A chunk at one place of the partition; the same sha256 may occur at several. */
export interface IndexChunk extends ByteExtent {
  /** Of the raw bytes, 64 hex digits. */
  readonly sha256: string;
}

/**
 * frames.json v1 says how the chunks of an index are encoded: one zstd frame for each different chunk, in the order
 * of first use in the index. `data` is the concatenation of the frames.
 */
export interface ImageFrames {
  readonly version: 1;
  /** As in the index, e.g. (later) frames compressed against older chunks. */
  readonly requires: readonly string[];
  readonly index: Digest;
  readonly compression: 'zstd';
  /** Length of `data`. */
  readonly bytes: number;
  readonly frames: readonly Frame[];
}

/** `offset` lies in `data`; `chunk` is the sha256 of what the frame decompresses to. */
export interface Frame extends ByteExtent {
  readonly chunk: string;
}

/** A codec's answer: the value, or why the text is refused (a clause without a full stop). */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly reason: string };

/** The canonical text whose sha256 is the digest. */
export function serializeIndex(index: ImageIndex): string {
  return canonical({
    version: index.version,
    requires: index.requires,
    kind: index.kind,
    architecture: index.architecture,
    os: { id: index.os.id, version: index.os.version, name: index.os.name },
    filesystem: index.filesystem && {
      type: index.filesystem.type,
      bytes: index.filesystem.bytes,
      uuid: index.filesystem.uuid,
    },
    kernel: { release: index.kernel.release, bytes: index.kernel.bytes, sha256: index.kernel.sha256 },
    initrd: { bytes: index.initrd.bytes, sha256: index.initrd.sha256 },
    ...(index.loader && { loader: { bytes: index.loader.bytes, sha256: index.loader.sha256 } }),
    append: index.append,
    chunking: CHUNKING,
    chunks: index.chunks.map(({ offset, bytes, sha256 }) => ({ offset, bytes, sha256 })),
  });
}

/** The canonical text of frames.json. */
export function serializeFrames(frames: ImageFrames): string {
  return canonical({
    version: frames.version,
    requires: frames.requires,
    index: frames.index,
    compression: frames.compression,
    bytes: frames.bytes,
    frames: frames.frames.map(({ offset, bytes, chunk }) => ({ offset, bytes, chunk })),
  });
}

/** Reads an index that someone else wrote. Unknown keys are passed over; what must not be is named in `requires`. */
export function parseIndex(text: string): Parsed<ImageIndex> {
  return parse(text, indexFault);
}

/**
 * Reads an index that comes from another server: besides being readable it must be written in the one way there is, or
 * its digest would name something else here than there.
 */
export function parseForeignIndex(text: string): Parsed<ImageIndex> {
  const parsed = parseIndex(text);
  if (!parsed.ok || serializeIndex(parsed.value) === text) return parsed;
  return refuse('it is not written in the canonical form');
}

/** A file that lies beside an image's index, and what it must be. */
export interface ImageFileEntry {
  readonly name: 'kernel' | 'initrd' | 'loader';
  readonly bytes: number;
  readonly sha256: string;
}

/** The files that an index vouches for. */
export function filesOf({ kernel, initrd, loader }: ImageIndex): readonly ImageFileEntry[] {
  return [
    { name: 'kernel', bytes: kernel.bytes, sha256: kernel.sha256 },
    { name: 'initrd', bytes: initrd.bytes, sha256: initrd.sha256 },
    ...(loader ? [{ name: 'loader' as const, bytes: loader.bytes, sha256: loader.sha256 }] : []),
  ];
}

/** Reads a frames.json, by the same rules. */
export function parseFrames(text: string): Parsed<ImageFrames> {
  return parse(text, framesFault);
}

/** The different chunks in the order of first use: the order of the frames in `data`. */
export function frameOrder(chunks: readonly IndexChunk[]): IndexChunk[] {
  const seen = new Set<string>();
  return chunks.filter(({ sha256 }) => !seen.has(sha256) && seen.add(sha256));
}

/**
 * Lays the frames out in `data`.
 * @param frameBytes length of a chunk's frame; undefined where there is none
 * @returns the missing chunk as a reason when a chunk has no frame
 */
export function layOutFrames(
  index: Digest,
  chunks: readonly IndexChunk[],
  frameBytes: (sha256: string) => number | undefined,
): Parsed<ImageFrames> {
  let offset = 0;
  const frames: Frame[] = [];
  for (const { sha256 } of frameOrder(chunks)) {
    const bytes = frameBytes(sha256);
    if (bytes === undefined) return refuse(`chunk ${sha256} has no frame`);
    frames.push({ offset, bytes, chunk: sha256 });
    offset += bytes;
  }
  return { ok: true, value: { version: 1, requires: [], index, compression: 'zstd', bytes: offset, frames } };
}

/** Null when the frames are those of this index: each different chunk once, in order of first use. */
export function framesMismatch(index: ImageIndex, frames: ImageFrames): string | null {
  const wanted = frameOrder(index.chunks);
  if (wanted.length !== frames.frames.length)
    return `the index needs ${wanted.length} frames, there are ${frames.frames.length}`;
  const at = wanted.findIndex(({ sha256 }, i) => frames.frames[i]?.chunk !== sha256);
  return at === -1 ? null : `frame ${at} is not chunk ${wanted[at]?.sha256}`;
}

function indexFault(index: ImageIndex): string | null {
  if (index.kind !== 'os' && index.kind !== 'installer') return 'its kind is neither os nor installer';
  if (!isText(index.architecture) || !/^[a-z0-9_]{1,32}$/.test(index.architecture))
    return 'architecture is malformed';
  if (!isRecord(index.os) || ![index.os.id, index.os.version, index.os.name].every(isLabel))
    return 'os is malformed';
  if (!isRecord(index.kernel) || !isRelease(index.kernel.release) || !isFile(index.kernel))
    return 'kernel is malformed';
  if (!isRecord(index.initrd) || !isFile(index.initrd)) return 'initrd is malformed';
  if (
    index.loader !== undefined &&
    !(isRecord(index.loader) && isFile(index.loader) && index.kind === 'installer')
  )
    return 'loader is malformed';
  if (!isText(index.append) || index.append.length > MAX_ARGUMENTS_LENGTH)
    return `append is no text of at most ${MAX_ARGUMENTS_LENGTH} characters`;
  const unsafe = unsafeCharacter(index.append);
  if (unsafe !== null) return `append holds ${JSON.stringify(unsafe)}, which is no kernel argument's`;
  if (!isRecord(index.chunking)) return 'chunking is malformed';
  const rule: Record<string, unknown> = index.chunking;
  if (Object.entries(CHUNKING).some(([key, value]) => rule[key] !== value))
    return 'its chunking rule is not known';
  if (!Array.isArray(index.chunks)) return 'chunks is not a list';
  if (index.kind === 'installer')
    return index.filesystem === null && index.chunks.length === 0 ? null : 'an installer has no filesystem';
  return filesystemFault(index);
}

function filesystemFault({ filesystem, chunks }: ImageIndex): string | null {
  if (!isRecord(filesystem) || !FILESYSTEM_TYPES.includes(filesystem.type))
    return 'its filesystem type is not known';
  if (!isAligned(filesystem.bytes) || filesystem.bytes === 0) return 'filesystem bytes are not whole blocks';
  if (filesystem.bytes > FILESYSTEM_BYTES[filesystem.type].max) return 'no filesystem can be so long';
  if (!isText(filesystem.uuid) || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(filesystem.uuid))
    return 'filesystem uuid is malformed';
  let end = 0;
  for (const [i, chunk] of chunks.entries()) {
    if (!isRecord(chunk) || !isAligned(chunk.offset) || !isAligned(chunk.bytes) || !isSha256(chunk.sha256))
      return `chunk ${i} is malformed`;
    if (chunk.bytes === 0 || chunk.bytes > MAX_CHUNK_BYTES) return `chunk ${i} has an impossible length`;
    if (chunk.offset < end) return `chunk ${i} overlaps the one before it`;
    end = chunk.offset + chunk.bytes;
  }
  return end > filesystem.bytes ? 'chunks reach beyond the filesystem' : null;
}

function framesFault(frames: ImageFrames): string | null {
  if (!isText(frames.index) || !parseDigest(frames.index)) return 'index is not a digest';
  if (frames.compression !== 'zstd') return 'its compression is not known';
  if (!Array.isArray(frames.frames)) return 'frames is not a list';
  let end = 0;
  for (const [i, frame] of frames.frames.entries()) {
    if (!isRecord(frame) || !isCount(frame.bytes) || frame.bytes === 0 || !isSha256(frame.chunk))
      return `frame ${i} is malformed`;
    if (frame.offset !== end) return `frame ${i} does not begin where the one before it ends`;
    end += frame.bytes;
  }
  return frames.bytes === end ? null : `bytes is ${frames.bytes}, the frames make ${end}`;
}

function canonical(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

function parse<Value>(text: string, fault: (value: Value) => string | null): Parsed<Value> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refuse('it is not JSON');
  }
  if (!isRecord(json) || Array.isArray(json)) return refuse('it is not a JSON object');
  if (json.version !== 1) return refuse(`its version is ${JSON.stringify(json.version)}, only 1 is known`);
  if (!Array.isArray(json.requires)) return refuse('requires is not a list');
  if (json.requires.length > 0)
    return refuse(`it requires ${JSON.stringify(json.requires[0])}, which is not known`);
  const reason = fault(json as Value);
  return reason === null ? { ok: true, value: json as Value } : refuse(reason);
}

const refuse = (reason: string): { ok: false; reason: string } => ({ ok: false, reason });
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
const isText = (value: unknown): value is string => typeof value === 'string';
/** What people read: one line, without a character that could steer a terminal. */
const isLabel = (value: unknown): boolean =>
  isText(value) && value.length <= 256 && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value);
/** What `uname -r` may say: it becomes part of paths. The kernel's own limit is 64 bytes with the last one zero. */
const isRelease = (value: unknown): boolean =>
  isText(value) && /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,62}$/.test(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isAligned = (value: unknown): value is number => isCount(value) && value % CHUNKING.blockBytes === 0;
const isSha256 = (value: unknown): value is string => isText(value) && /^[0-9a-f]{64}$/.test(value);
const isFile = (value: Record<string, unknown>): boolean => isCount(value.bytes) && isSha256(value.sha256);
