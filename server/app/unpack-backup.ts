import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { backupNoteSchema } from '../contract/backup.ts';
import { readTarHeader, TAR_BLOCK, tarPadding } from '../contract/image-archive.ts';
import {
  type BackupNote,
  DATABASE,
  FIRST_TOKEN,
  isMember,
  NOTE,
  noteFault,
  readSums,
  SUMS,
} from '../core/backup.ts';
import { WarmbootError } from '../core/errors.ts';

/** A backup as a file that can be read at any place. */
export type BackupBytes = {
  readonly sizeBytes: number;
  /** Fewer bytes than asked for where it ends before. */
  read(start: number, end: number): Promise<Uint8Array>;
};

const PART_BYTES = 4 * 1024 * 1024;
/** What is held in memory at once. */
const MOST_TEXT_BYTES = 64 * 1024 * 1024;
const NEEDED = [DATABASE, FIRST_TOKEN, 'keys/manifest.pem'];

/**
 * Unpacks a backup into a new folder. Names in it are taken only where they are ones that a backup has; everything is held against
 * its sum.
 * @param newest the schema that this program knows
 * @throws WarmbootError `invalid` for anything but a whole backup that this program can restore now
 */
export async function unpackBackup(
  bytes: BackupBytes,
  folder: string,
  newest: number,
  now: number,
): Promise<{ readonly note: BackupNote; readonly names: readonly string[] }> {
  const first = await memberAt(bytes, 0);
  if (first?.name !== NOTE) throw refusal('it does not begin as one does');
  const noteText = await textOf(bytes, first);
  const note = noteIn(noteText);
  const fault = noteFault(note, newest, now);
  if (fault !== null) throw refusal(fault);

  const sums = new Map([[NOTE, createHash('sha256').update(noteText).digest('hex')]]);
  let at = first.next;
  for (;;) {
    const member = await memberAt(bytes, at);
    if (member === null) throw refusal('it ends without its list of sums');
    at = member.next;
    if (member.name === SUMS) {
      checkSums(sums, await textOf(bytes, member));
      break;
    }
    if (!isMember(member.name) || sums.has(member.name))
      throw refusal(`it holds ${JSON.stringify(member.name.slice(0, 100))}, which does not belong there`);
    sums.set(member.name, await unpack(bytes, member, folder));
  }
  const rest = await bytes.read(at, Math.min(bytes.sizeBytes, at + 1024 * 1024));
  if (rest.length < 2 * TAR_BLOCK || rest.some((byte) => byte !== 0))
    throw refusal(rest.length < 2 * TAR_BLOCK ? 'it is cut off' : 'something follows its last member');
  const missing = NEEDED.find((name) => !sums.has(name));
  if (missing) throw refusal(`${missing} is not in it`);
  return { note, names: [...sums.keys()].filter((name) => name !== NOTE) };
}

type Member = {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
  readonly next: number;
};

/** @returns null at the end */
async function memberAt(bytes: BackupBytes, at: number): Promise<Member | null> {
  const block = await bytes.read(at, at + TAR_BLOCK);
  if (block.length < TAR_BLOCK) throw refusal('it is cut off');
  if (block.every((byte) => byte === 0)) return null;
  const found = readTarHeader(block);
  if (!found) throw refusal('it holds what is no plain file');
  const start = at + TAR_BLOCK;
  const next = start + found.bytes + tarPadding(found.bytes);
  if (next > bytes.sizeBytes)
    throw refusal(`it is cut off within ${JSON.stringify(found.name.slice(0, 100))}`);
  return { ...found, start, next };
}

async function textOf(bytes: BackupBytes, { name, start, bytes: length }: Member): Promise<string> {
  if (length > MOST_TEXT_BYTES) throw refusal(`${name} is too long`);
  return Buffer.from(await bytes.read(start, start + length)).toString();
}

function noteIn(text: string): BackupNote {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    throw refusal(`${NOTE} in it cannot be read`);
  }
  const read = backupNoteSchema.safeParse(told);
  if (read.success) return read.data;
  const version = (told as { version?: unknown } | null)?.version;
  throw refusal(
    typeof version === 'number' && version > 1
      ? `its format is ${version}, and this Warmboot knows 1: a newer one made it. Restore it with that version.`
      : `${NOTE} in it is not understood`,
  );
}

function checkSums(found: ReadonlyMap<string, string>, text: string): void {
  const told = readSums(text);
  if (!told) throw refusal(`${SUMS} in it cannot be read`);
  for (const [name, sum] of found)
    if (told.get(name) !== sum) throw refusal(`${name} in it is not what its sum says`);
  for (const name of told.keys()) if (!found.has(name)) throw refusal(`${name} is not in it`);
}

/** @returns its sha256 */
async function unpack(
  bytes: BackupBytes,
  { name, start, bytes: length }: Member,
  folder: string,
): Promise<string> {
  const target = path.join(folder, name);
  await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
  const file = await open(target, 'wx', 0o600);
  const hash = createHash('sha256');
  try {
    for (let at = start; at < start + length; ) {
      const part = await bytes.read(at, Math.min(at + PART_BYTES, start + length));
      if (part.length === 0) throw refusal(`it is cut off within ${name}`);
      hash.update(part);
      for (let done = 0; done < part.length; ) done += (await file.write(part, done)).bytesWritten;
      at += part.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

function refusal(why: string): WarmbootError {
  return new WarmbootError(
    'invalid',
    `The backup is not restored, and nothing was changed: ${why.replace(/\.$/, '')}.`,
  );
}
