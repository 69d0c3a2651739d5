import { randomUUID } from 'node:crypto';
import {
  close as closeFd,
  createReadStream,
  createWriteStream,
  fstat,
  open as openFd,
  read as readFd,
  type Stats,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { CliError, codeOf, InterruptedError, message } from './cli-error.ts';
import type { ReadableFile } from './world.ts';

const STDIN = 0;

/**
 * A large file of the user, for `main.ts` to hand in; `-` is standard input. A pipe is first copied into a temporary file, for
 * it cannot be read at any place.
 * @param signal gives up while a pipe is waited for
 * @throws CliError for what cannot be read
 */
export async function openFile(path: string, signal: AbortSignal): Promise<ReadableFile> {
  const name = path === '-' ? 'standard input' : path;
  try {
    const fd = path === '-' ? STDIN : await promisify(openFd)(path, 'r');
    const found = await promisify(fstat)(fd);
    if (found.isFile()) return readable(fd, found.size, name);
    if (found.isDirectory()) {
      await close(fd);
      throw new CliError(`${name} is a folder, not a file. Name a file in it.`);
    }
    return await copied(fd, found, name, signal);
  } catch (error) {
    if (signal.aborted) throw new InterruptedError();
    throw error instanceof CliError ? error : cannotRead(name, error);
  }
}

function readable(fd: number, sizeBytes: number, name: string): ReadableFile {
  return {
    sizeBytes,
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await promisify(readFd)(
          fd,
          bytes,
          done,
          bytes.length - done,
          start + done,
        ).catch((error: unknown) => {
          throw cannotRead(name, error);
        });
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    },
    close: () => close(fd),
  };
}

async function close(fd: number): Promise<void> {
  if (fd !== STDIN) await promisify(closeFd)(fd);
}

/** The copy has lost its name before it is filled: it goes with this process, however that ends. */
async function copied(from: number, kind: Stats, name: string, signal: AbortSignal): Promise<ReadableFile> {
  const temp = join(tmpdir(), `warmboot-${randomUUID()}.part`);
  const to = await promisify(openFd)(temp, 'wx+', 0o600).catch((error: unknown) => {
    throw cannotKeep(name, error);
  });
  try {
    await rm(temp);
    await pipeline(inputOf(from, kind), createWriteStream('', { fd: to, autoClose: false }), { signal });
    return readable(to, (await promisify(fstat)(to)).size, name);
  } catch (error) {
    await close(to);
    throw (error as NodeJS.ErrnoException).syscall === 'write' ? cannotKeep(name, error) : error;
  }
}

/** A pipe, socket or terminal is waited for without a thread that waits in the kernel: nothing could wake that at Ctrl-C. */
function inputOf(fd: number, kind: Stats): Readable {
  if (isatty(fd)) return new ReadStream(fd);
  if (kind.isFIFO() || kind.isSocket()) return new Socket({ fd, readable: true, writable: false });
  return createReadStream('', { fd });
}

function cannotRead(name: string, error: unknown): CliError {
  return new CliError(`${name} cannot be read: ${message(error)}. Mend that, or name another file.`);
}

function cannotKeep(name: string, error: unknown): CliError {
  const why = codeOf(error) === 'ENOSPC' ? 'no space is left there' : message(error);
  return new CliError(
    `${name} has to be kept in ${tmpdir()} while it is read, but ${why}. Set TMPDIR to another folder.`,
  );
}
