import { randomUUID } from 'node:crypto';
import { type FileHandle, lstat, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CliError, ClosedPipeError, codeOf, message } from './cli-error.ts';
import { contentRuns } from './content-runs.ts';
import type { NewFile } from './world.ts';

/**
 * A file of the user that gets its name only when it is whole: written beside it, synced and renamed. Runs of zeros become
 * holes. `-` is standard output.
 * @throws CliError when it cannot be made there, or what has the name is no file
 */
export async function createFile(
  path: string,
  { isSecret = false }: { readonly isSecret?: boolean } = {},
): Promise<NewFile> {
  if (path === '-') return standardOutput();
  if (path === '')
    throw new CliError('the name of the file is empty. Name one, or - for standard output.', 2);
  const found = await replaceable(path);
  const { target } = found;
  const mode = isSecret ? 0o600 : found.mode;
  const folder = dirname(target);
  // Not made of the target's name, which may be as long as a name can be.
  const temp = join(folder, `.warmboot-${randomUUID()}.part`);
  const file = await open(temp, 'wx', mode).catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw cannot(path, error);
    throw new CliError(
      `${path} cannot be written: the folder ${folder} does not exist. Make it, or write elsewhere.`,
    );
  });
  let at = 0;
  let state: 'open' | 'closed' | 'named' = 'open';

  async function close(): Promise<void> {
    if (state === 'open') await file.close();
    state = 'closed';
  }
  async function discard(): Promise<void> {
    if (state === 'named') return;
    await close().catch(() => {});
    await rm(temp, { force: true });
  }
  return {
    async write(bytes) {
      for (const { start, end } of contentRuns(bytes))
        await put(file, bytes.subarray(start, end), at + start).catch((error: unknown) => {
          throw cannot(path, error);
        });
      at += bytes.length;
    },
    async finish() {
      try {
        // The mask of a new file is not that of the one it replaces.
        if (mode !== undefined) await file.chmod(mode);
        await file.truncate(at);
        await file.sync();
        await close();
        await rename(temp, target);
        state = 'named';
        await syncFolder(folder);
      } catch (error) {
        await discard();
        throw cannot(path, error);
      }
    },
    discard,
  };
}

/** What a path leads to and may be replaced: nothing yet, or a file, whose mode the new one takes over. */
async function replaceable(path: string): Promise<{ readonly target: string; readonly mode?: number }> {
  const found = await absentOr(lstat(path), path);
  if (found === null) return { target: path };
  if (!found.isSymbolicLink()) return fileAt(path, path);
  // The link stays, and what it leads to is replaced: whoever made it wants the file there.
  const target = await absentOr(realpath(path), path);
  if (target !== null) return fileAt(path, target);
  throw new CliError(`${path} is a link to nothing, and is not replaced. Remove it, or write elsewhere.`);
}

async function fileAt(path: string, target: string): Promise<{ target: string; mode: number }> {
  const found = await stat(target);
  if (found.isFile()) return { target, mode: found.mode & 0o777 };
  const what = found.isDirectory()
    ? 'a folder'
    : found.isFIFO()
      ? 'a pipe'
      : found.isSocket()
        ? 'a socket'
        : 'a device';
  throw new CliError(
    `${path} is ${what} and no file, and is not replaced. Write to a file, then copy it there.`,
  );
}

async function absentOr<Value>(asked: Promise<Value>, path: string): Promise<Value | null> {
  try {
    return await asked;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw cannot(path, error);
  }
}

async function put(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

function cannot(path: string, error: unknown): CliError {
  if (codeOf(error) === 'ENOSPC')
    return new CliError(`no space is left for ${path}. Free some, or write elsewhere.`);
  return new CliError(`${path} cannot be written: ${message(error)}. Write elsewhere, or mend that.`);
}

/** Whoever reads our output may have had enough of it: that needs no words. */
function closedOr(error: Error): CliError {
  return codeOf(error) === 'EPIPE' ? new ClosedPipeError() : cannot('standard output', error);
}

function standardOutput(): NewFile {
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(closedOr(error)) : resolve()));
    });
  return { write, finish: async () => {}, discard: async () => {} };
}
