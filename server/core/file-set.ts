import { isOpen } from './attempt.ts';
import { WarmbootError } from './errors.ts';
import type { Host } from './host.ts';
import { unusablePath } from './host-file-path.ts';
import { filesOfTar, type TarFile, tarOf } from './ustar.ts';

/**
 * The files that one host has of its own: network settings, authorized keys, a seed for cloud-init. They are kept, named and sent
 * as one tar, which is the same bytes for the same files: its sha256 is the name of the set.
 */
export type FileSet = readonly TarFile[];

/** What a host's records hold of its set; the bytes are in the store. */
export type FilesOfHost = {
  /** 64 hex digits. */
  readonly sha256: string;
  /** Length of the tar. */
  readonly bytes: number;
};

/**
 * The files that a host is told of: where it has a token to ask for them, or is about to make one. A host that was started from a
 * composed disk never has.
 */
export function filesTold({ enrolment: { status, files, claim }, attempt }: Host): FilesOfHost | null {
  const hasToken = claim !== null || (isOpen(attempt) && attempt.kind === 'install');
  return status === 'approved' && hasToken ? files : null;
}

export const MOST_FILES = 64;
/** All contents together. */
export const MOST_FILE_BYTES = 256 * 1024;
/** What the tar of as many and as large files takes: a header each, contents filled up to blocks, and the end. */
export const MOST_SET_BYTES = MOST_FILE_BYTES + MOST_FILES * 1024 + 1024;

/** As user names are in all distributions, and as the 32 bytes of a tar header hold them (useradd(8)). */
const OWNER = /^([a-z_][a-z0-9_-]{0,30})(?::([a-z_][a-z0-9_-]{0,30}))?$/;

/** What was said of a file; what is left out stays as it is, or is 0644 and root's. */
export type SaidFile = {
  readonly path: string;
  readonly mode?: string | undefined;
  /** `USER` or `USER:GROUP`; without a group, the one of the same name. */
  readonly owner?: string | undefined;
  readonly content: Uint8Array;
};

/**
 * The set with a file put into it.
 * @throws WarmbootError for what no host may have
 */
export function withFile(files: FileSet, said: SaidFile): FileSet {
  const refusal = unusablePath(said.path);
  if (refusal !== null) throw new WarmbootError('invalid', refusal);
  const before = files.find(({ path }) => path === said.path);
  const others = files.filter((file) => file !== before);
  const file: TarFile = {
    path: said.path,
    mode: said.mode === undefined ? (before?.mode ?? 0o644) : modeOf(said.mode),
    ...(said.owner === undefined
      ? { owner: before?.owner ?? 'root', group: before?.group ?? 'root' }
      : ownerOf(said.owner)),
    content: said.content,
  };
  const folder = others.find(({ path }) => isBelow(path, file.path) || isBelow(file.path, path));
  if (folder)
    throw new WarmbootError(
      'conflict',
      `One of ${folder.path} and ${file.path} would be a file and a folder at once. Remove the one that is there first.`,
    );
  const all = [...others, file];
  if (all.length > MOST_FILES)
    throw new WarmbootError(
      'too-large',
      `A host has at most ${MOST_FILES} files of its own. Remove one, or put what all hosts need into the image.`,
    );
  const bytes = all.reduce((sum, { content }) => sum + content.length, 0);
  if (bytes > MOST_FILE_BYTES)
    throw new WarmbootError(
      'too-large',
      `A host's own files take ${MOST_FILE_BYTES} bytes at most, all together, and these would take ${bytes}. Put what is large into the image.`,
    );
  return all;
}

/** @returns null where it is not in the set */
export function withoutFile(files: FileSet, path: string): FileSet | null {
  const left = files.filter((file) => file.path !== path);
  return left.length === files.length ? null : left;
}

/** A set as it is kept and sent. */
export type PackedSet = FilesOfHost & { readonly tar: Uint8Array };

/** @returns null for no files: there is no empty set */
export function packed(files: FileSet, sha256Hex: (bytes: Uint8Array) => string): PackedSet | null {
  if (files.length === 0) return null;
  const tar = tarOf(files.toSorted((one, other) => (one.path < other.path ? -1 : 1)));
  return { sha256: sha256Hex(tar), bytes: tar.length, tar };
}

export function unpacked(tar: Uint8Array | null): FileSet {
  return tar === null ? [] : filesOfTar(tar);
}

/** `0644` */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** `root`, or with a group of another name `root:adm`. */
export function ownerText({ owner, group }: Pick<TarFile, 'owner' | 'group'>): string {
  return owner === group ? owner : `${owner}:${group}`;
}

function modeOf(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new WarmbootError(
    'invalid',
    `The mode "${text.slice(0, 16)}" cannot be: write three octal digits, as in 0644. A host's file is never setuid, setgid or sticky.`,
  );
}

function ownerOf(text: string): Pick<TarFile, 'owner' | 'group'> {
  const [, owner, group = owner] = OWNER.exec(text) ?? [];
  if (owner !== undefined && group !== undefined) return { owner, group };
  throw new WarmbootError(
    'invalid',
    `The owner "${text.slice(0, 70)}" cannot be: write the name of a user, or USER:GROUP, as the host has them.`,
  );
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
