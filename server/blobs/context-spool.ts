import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../core/digest.ts';
import { WarmbootError } from '../core/errors.ts';
import type { ContextSpool } from '../core/ports.ts';

/** A context that no build uses goes after so long; until then the same build again sends nothing. */
const KEPT_MS = 3_600_000;
const SWEEP_EVERY_MS = 600_000;

export interface SpoolOptions {
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
}: SpoolOptions): Promise<ContextSpool & { close(): void }> {
  const folder = join(dataDir, 'contexts');
  const users = new Map<Digest, number>();
  const parts = new Set<string>();
  await mkdir(folder, { recursive: true });
  await sweep();
  const timer = setInterval(() => void sweep().catch(() => {}), SWEEP_EVERY_MS).unref();

  async function sweep(): Promise<void> {
    for (const name of await readdir(folder)) {
      const file = join(folder, name);
      const hex = /^([0-9a-f]{64})\.tar$/.exec(name)?.[1];
      if (hex === undefined ? parts.has(name) : users.has(`sha256:${hex}` as Digest)) continue;
      const lastUsed = (await stat(file).catch(() => null))?.mtimeMs ?? 0;
      if (hex === undefined || Date.now() - lastUsed > KEPT_MS) await rm(file, { force: true });
    }
  }

  /** Notes that it was used now. */
  async function touch(digest: Digest): Promise<{ bytes: number } | null> {
    const file = fileOf(digest);
    const found = await stat(file).catch(() => null);
    if (found) await utimes(file, new Date(), new Date());
    return found && { bytes: found.size };
  }

  const fileOf = (digest: Digest): string => join(folder, `${digest.slice('sha256:'.length)}.tar`);

  return {
    find: touch,

    async put(digest, content, announcedBytes) {
      const known = await touch(digest);
      if (known) return known;
      if ((announcedBytes ?? 0) > maxBytes) throw tooLarge(maxBytes);
      const name = `${randomUUID()}.part`;
      parts.add(name);
      const part = join(folder, name);
      const hash = createHash('sha256');
      let bytes = 0;
      try {
        await pipeline(
          Readable.from(content),
          async function* (pieces) {
            for await (const piece of pieces as AsyncIterable<Uint8Array>) {
              bytes += piece.length;
              if (bytes > maxBytes) throw tooLarge(maxBytes);
              hash.update(piece);
              yield piece;
            }
          },
          createWriteStream(part, { mode: 0o600 }),
        );
        if (`sha256:${hash.digest('hex')}` !== digest)
          throw new WarmbootError(
            'invalid',
            'The context that arrived has another sha256 than its address says: it was cut off, or changed while it was sent. Send it again.',
          );
        await rename(part, fileOf(digest));
        return { bytes };
      } catch (error) {
        await rm(part, { force: true });
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC')
          throw new WarmbootError(
            'unavailable',
            'The disk of the data folder is full: the context does not fit. Remove images, or give it more room.',
          );
        throw error;
      } finally {
        parts.delete(name);
      }
    },

    async hold(digest) {
      users.set(digest, (users.get(digest) ?? 0) + 1);
      let held = true;
      const release = async () => {
        if (!held) return;
        held = false;
        const left = (users.get(digest) ?? 1) - 1;
        if (left > 0) users.set(digest, left);
        else users.delete(digest);
        await touch(digest);
      };
      if (await touch(digest)) return { path: fileOf(digest), release };
      await release();
      return null;
    },

    close: () => clearInterval(timer),
  };
}

function tooLarge(maxBytes: number): WarmbootError {
  const mebibytes = Math.floor(maxBytes / 1024 ** 2);
  return new WarmbootError(
    'too-large',
    `The context is larger than the ${mebibytes} MiB that this server takes. Name what the build does not need in .dockerignore, or raise WARMBOOT_MAX_CONTEXT at the server.`,
  );
}
