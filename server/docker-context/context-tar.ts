import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import { WarmbootError } from '../core/errors.ts';
import { type DockerContext, reason } from './open-context.ts';

/** Told of what lies in the context and cannot be sent: a socket, a pipe, a device. */
export type OnSkipped = (path: string) => void;

/**
 * A context as the tar that Docker builds from. The same files give the same bytes whoever cloned them and whenever:
 * sorted, mtime 0, root's, modes 0644 and 0755 only. So Docker's cache hits, and a context is known by its hash.
 * What cannot be read ends the stream with a WarmbootError.
 */
export function contextTar(context: DockerContext, onSkipped: OnSkipped = () => {}): Readable {
  const tar = pack();
  fill(tar, context, onSkipped).then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return tar as unknown as Readable;
}

async function fill(tar: Pack, context: DockerContext, onSkipped: OnSkipped): Promise<void> {
  const within = [...context.always].filter(([name, file]) => join(context.folder, name) === file);
  const foreign = [...context.always].filter(([name, file]) => join(context.folder, name) !== file);
  const wanted = new Set(within.flatMap(([name]) => withParents(name)));
  await addFolder('');
  // Last: a file of the context that had such a name would otherwise win.
  for (const [name, file] of foreign) await addFile(tar, name, file, await stat(file));

  /** @returns whether the folder has anything to send */
  async function addFolder(below: string, announce = () => {}): Promise<void> {
    const names = await readdir(join(context.folder, below)).catch(cannot(below || '.'));
    for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
      const path = below === '' ? name : `${below}/${name}`;
      const ignored = context.ignore.ignores(path) && !wanted.has(path);
      const full = join(context.folder, path);
      const found = await lstat(full).catch(cannot(path));
      if (found.isDirectory()) {
        if (ignored && !context.ignore.mayKeepBelow(path)) continue;
        // An ignored folder is only there if something in it is.
        const tell = once(() => {
          announce();
          tar.entry({ ...common(path), type: 'directory', mode: 0o755 });
        });
        if (!ignored) tell();
        await addFolder(path, tell);
      } else if (!ignored) {
        const isKnown = found.isSymbolicLink() || found.isFile();
        if (!isKnown) {
          onSkipped(path);
          continue;
        }
        announce();
        if (found.isFile()) await addFile(tar, path, full, found);
        else tar.entry({ ...common(path), type: 'symlink', mode: 0o777, linkname: await readlink(full) });
      }
    }
  }
}

async function addFile(
  tar: Pack,
  name: string,
  file: string,
  { size, mode }: { size: number; mode: number },
): Promise<void> {
  const entry = tar.entry({ ...common(name), type: 'file', size, mode: mode & 0o100 ? 0o755 : 0o644 });
  // No more than was announced: a log may grow while it is read.
  const content = size === 0 ? null : createReadStream(file, { end: size - 1 });
  if (content === null) (entry as unknown as Writable).end();
  else await pipeline(content, entry as unknown as Writable).catch(cannot(name));
}

function common(name: string) {
  return { name, mtime: new Date(0), uid: 0, gid: 0 };
}

function withParents(name: string): string[] {
  const steps = name.split('/');
  return steps.map((_, i) => steps.slice(0, i + 1).join('/'));
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

function cannot(path: string): (error: NodeJS.ErrnoException) => never {
  return ({ code, message }) => {
    if (/size mismatch/i.test(message))
      throw new WarmbootError(
        'invalid',
        `"${path}" in the context became shorter while it was read. Build again.`,
      );
    throw new WarmbootError(
      'invalid',
      `"${path}" in the context ${reason(code, message)}. Mend it, or name it in .dockerignore.`,
    );
  };
}
