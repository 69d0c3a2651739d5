import { createHash, randomUUID } from 'node:crypto';
import { readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContextSpool } from '../core/build-ports.ts';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import { oneAtATime } from '../core/one-at-a-time.ts';
import { ensureFolder, publish, writeStream } from './atomic.ts';
import { type Coming, contextRoom, type KeptContext, type RoomOptions } from './context-room.ts';

/** A context that no build uses goes after so long; until then the same build again sends nothing. */
const KEPT_MS = 3_600_000;
const SWEEP_EVERY_MS = 600_000;
/** Room that is asked for at once while a context comes whose length nobody announced. */
const STEP_BYTES = 64 * 1024 ** 2;

export interface SpoolOptions extends Pick<RoomOptions, 'maxTotalBytes' | 'reserveBytes' | 'freeBytes'> {
  readonly dataDir: string;
  /** The largest context that is taken. */
  readonly maxBytes: number;
}

/**
 * Contexts as files, `DATA/contexts/HEX.tar`, last used at their mtime. Left-overs are swept at start and from time to
 * time. @returns the spool and how to stop sweeping
 */
export async function contextSpool({
  dataDir,
  maxBytes,
  ...limits
}: SpoolOptions): Promise<ContextSpool & { close(): void }> {
  const folder = join(dataDir, 'contexts');
  const users = new Map<Digest, number>();
  const coming = new Map<string, Coming>();
  // Whether a file is here is looked up and used in two steps: what removes files must not come in between.
  const alone = oneAtATime();
  const room = contextRoom({ ...limits, folder });
  const fileOf = (digest: Digest): string => join(folder, `${digest.slice('sha256:'.length)}.tar`);

  await ensureFolder(folder);
  await alone(sweep);
  const timer = setInterval(() => void alone(sweep).catch(() => {}), SWEEP_EVERY_MS).unref();

  async function sweep(): Promise<void> {
    for (const name of await readdir(folder))
      if (digestIn(name) === null && !coming.has(name)) await rm(join(folder, name), { force: true });
    for (const { digest, file, usedAt } of await kept())
      if (!users.has(digest) && Date.now() - usedAt > KEPT_MS) await rm(file, { force: true });
  }

  async function kept(): Promise<KeptContext[]> {
    const all: KeptContext[] = [];
    for (const digest of (await readdir(folder)).flatMap((name) => digestIn(name) ?? [])) {
      const file = fileOf(digest);
      const found = await stat(file).catch(() => null);
      if (found)
        all.push({ digest, file, bytes: found.size, usedAt: found.mtimeMs, isHeld: users.has(digest) });
    }
    return all;
  }

  /** Notes that it was used now. */
  async function touch(digest: Digest): Promise<{ bytes: number } | null> {
    const file = fileOf(digest);
    const found = await stat(file).catch(() => null);
    if (found) await utimes(file, new Date(), new Date());
    return found && { bytes: found.size };
  }

  function letGo(digest: Digest): void {
    const left = (users.get(digest) ?? 1) - 1;
    if (left > 0) users.set(digest, left);
    else users.delete(digest);
  }

  return {
    find: (digest) => alone(() => touch(digest)),

    async put(digest, content, announcedBytes) {
      const known = await alone(() => touch(digest));
      if (known) return known;
      if ((announcedBytes ?? 0) > maxBytes) throw tooLarge(maxBytes);
      const name = `${randomUUID()}.part`;
      const part = join(folder, name);
      const mine: Coming = { promisedBytes: 0, writtenBytes: 0 };
      coming.set(name, mine);
      const promise = (bytes: number) =>
        alone(async () => room.promise(mine, Math.min(bytes, maxBytes), await kept(), coming.values()));
      const hash = createHash('sha256');
      async function* checked(): AsyncGenerator<Uint8Array> {
        for await (const piece of content) {
          const bytes = mine.writtenBytes + piece.length;
          if (bytes > maxBytes) throw tooLarge(maxBytes);
          if (bytes > mine.promisedBytes) await promise(bytes + STEP_BYTES);
          hash.update(piece);
          yield piece;
          mine.writtenBytes = bytes;
        }
      }
      try {
        if (announcedBytes !== null) await promise(announcedBytes);
        await writeStream(part, checked(), 0o600);
        if (`sha256:${hash.digest('hex')}` !== digest)
          throw new WarmbootError(
            'invalid',
            'The context that arrived has another sha256 than its address says: it was cut off, or changed while it was sent. Send it again.',
          );
        await alone(async () => {
          await publish(part, fileOf(digest));
          coming.delete(name);
        });
        return { bytes: mine.writtenBytes };
      } catch (error) {
        await rm(part, { force: true });
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
          throw new WarmbootError(
            'unavailable',
            'The disk of the data folder is full: the context does not fit. Remove images, or give it more room.',
          );
        throw error;
      } finally {
        coming.delete(name);
      }
    },

    hold: (digest) =>
      alone(async () => {
        if (!(await touch(digest))) return null;
        users.set(digest, (users.get(digest) ?? 0) + 1);
        let isHeld = true;
        const release = async () => {
          if (!isHeld) return;
          isHeld = false;
          letGo(digest);
          await alone(() => touch(digest));
        };
        return { path: fileOf(digest), release };
      }),

    close: () => clearInterval(timer),
  };
}

function digestIn(name: string): Digest | null {
  const hex = /^([0-9a-f]{64})\.tar$/.exec(name)?.[1];
  return hex === undefined ? null : (`sha256:${hex}` as Digest);
}

function tooLarge(maxBytes: number): WarmbootError {
  const mebibytes = Math.floor(maxBytes / 1024 ** 2);
  return new WarmbootError(
    'too-large',
    `The context is larger than the ${mebibytes} MiB that this server takes. Name what the build does not need in .dockerignore, or raise WARMBOOT_MAX_CONTEXT at the server.`,
  );
}
