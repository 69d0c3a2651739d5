import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Makes the bundle that `./warmboot` runs, in `dist/ID`, and lets `dist/current` point at it:
 *
 *     node packaging/bundle.ts
 *
 * A server that runs goes on with the bundle that it started from, so the last few are kept.
 */

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const KEPT = 8;

/** Programs that are started by themselves. `ChildProgram` names those that are forked. */
export const ENTRIES = ['start', 'build-child', 'check-child', 'snapshot-child'] as const;

/** Compiled modules. What ssh2 compiles only makes it faster; without, it uses Node's own cryptography. */
const EXTERNAL = ['better-sqlite3', 'zstd-napi', 'cpu-features', '*.node'];

/** Packages that are not ES modules call `require` for Node's own. */
const BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** Writes the bundle into a new folder of `dist`: its programs look for the product two levels up. */
export async function writeBundle(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  // The launcher compares the sources with this file: what changes from here on is not in the bundle.
  await writeFile(join(folder, 'built'), '');
  await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES.map((name) => `server/${name}.ts`),
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.19',
    sourcemap: true,
    sourcesContent: false,
    inject: ['server/lib/source-positions.ts'],
    external: EXTERNAL,
    banner: { js: BANNER },
    define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    logLevel: 'warning',
  });
}

async function publishBundle(): Promise<void> {
  const id = `${Date.now().toString(36)}-${process.pid}`;
  const folder = join(DIST, id);
  try {
    await writeBundle(folder);
  } catch (error) {
    await rm(folder, { recursive: true });
    throw error;
  }
  await pointAt(id);
  await removeOld();
}

/** A link is replaced at once: no launcher sees a bundle that is half there. */
async function pointAt(id: string): Promise<void> {
  const link = join(DIST, `${id}.link`);
  await symlink(id, link);
  await rename(link, join(DIST, 'current'));
}

async function removeOld(): Promise<void> {
  const ids = (await readdir(DIST)).filter((name) => /^[0-9a-z]+-[0-9]+$/.test(name)).sort();
  for (const id of ids.slice(0, -KEPT)) await rm(join(DIST, id), { recursive: true, force: true });
}

if (process.argv[1] === import.meta.filename) await publishBundle();
