import { type ByteExtent, CHUNKING, MAX_CHUNK_BYTES } from './chunks.ts';
import { type Digest, parseDigest } from './digest.ts';

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
  readonly filesystem: { readonly type: 'ext4'; readonly bytes: number; readonly uuid: string } | null;
  /** `release` is what `uname -r` will say. */
  readonly kernel: { readonly release: string; readonly bytes: number; readonly sha256: string };
  readonly initrd: { readonly bytes: number; readonly sha256: string };
  /** Kernel arguments of the image itself; the manifest adds root, slot and attempt. */
  readonly append: string;
  readonly chunking: typeof CHUNKING;
  /** Offsets rise and do not overlap; ranges of the partition in no chunk read as zeros. Empty for an installer. */
  readonly chunks: readonly IndexChunk[];
}

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
  if (!isText(index.architecture) || index.architecture === '') return 'architecture is missing';
  if (!isRecord(index.os) || !isText(index.os.id) || !isText(index.os.version) || !isText(index.os.name))
    return 'os is malformed';
  if (!isRecord(index.kernel) || !isText(index.kernel.release) || !isFile(index.kernel))
    return 'kernel is malformed';
  if (!isRecord(index.initrd) || !isFile(index.initrd)) return 'initrd is malformed';
  if (!isText(index.append)) return 'append is not a text';
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
  if (!isRecord(filesystem) || filesystem.type !== 'ext4') return 'its filesystem type is not known';
  if (!isAligned(filesystem.bytes) || filesystem.bytes === 0) return 'filesystem bytes are not whole blocks';
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
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isAligned = (value: unknown): value is number => isCount(value) && value % CHUNKING.blockBytes === 0;
const isSha256 = (value: unknown): value is string => isText(value) && /^[0-9a-f]{64}$/.test(value);
const isFile = (value: Record<string, unknown>): boolean => isCount(value.bytes) && isSha256(value.sha256);
