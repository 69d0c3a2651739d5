import { createHash } from 'node:crypto';
import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { buildImage } from '../../lab/build.ts';
import { inCheckout } from '../../lab/paths.ts';
import type { BuiltImage } from '../../lab/story.ts';
import { type E2ePlan, e2eImages } from '../e2e/plan.ts';

/** What the e2e tests' images and disks take at most, measured and rounded up. */
const ROOM_GIB = { usual: 12, all: 50 };

/** What an image is made of and by. */
const SOURCES = ['images', 'server', 'package-lock.json', 'test/e2e/images', 'test/e2e/debian-dracut'];

/** Images are built outside the racks' namespaces, where Docker and the network are. @throws Error with a sentence */
export async function planE2e(folder: string, all: boolean): Promise<E2ePlan> {
  const data = inCheckout('.cache/lab');
  await mkdir(data, { recursive: true });
  await needRoom(folder, all);
  const wanted = e2eImages(all);
  const note = join(data, 'built-for-tests.json');
  const source = await contentOf(SOURCES);
  const built = await readBuilt(note, source, data);
  for (const { name, of, options } of wanted) {
    if (built.some((image) => image.name === name)) continue;
    built.push({ ...(await buildImage(of, data, new AbortController().signal, options)), name });
    await writeFile(note, JSON.stringify({ source, built }));
  }
  return { folder, data, images: built };
}

interface BuiltNote {
  readonly source: string;
  readonly built: BuiltImage[];
}

/** What an earlier run built from the same sources and is there still. */
async function readBuilt(note: string, source: string, data: string): Promise<BuiltImage[]> {
  const text = await readFile(note, 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  const { source: former, built } = JSON.parse(text) as BuiltNote;
  if (former !== source) return [];
  const args = ['--data', data, 'images', '--json'];
  const { stdout, exitCode } = await execa(inCheckout('warmboot'), args, { reject: false });
  return exitCode === 0 ? built.filter(({ digest }) => stdout.includes(digest)) : [];
}

/** A hash over the content of these files, as git sees them, committed or not. */
async function contentOf(paths: readonly string[]): Promise<string> {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...paths];
  const { stdout } = await execa('git', list, { cwd: inCheckout('.') });
  const files = stdout.split('\0').filter((file) => file !== '');
  const hash = createHash('sha256');
  for (const file of new Set(files.toSorted()))
    hash.update(`${file}\0`).update(await readFile(inCheckout(file)).catch(() => ''));
  return hash.digest('hex');
}

/** A machine whose disk file finds no room stands still: better said before than found out by hours of waiting. */
async function needRoom(folder: string, all: boolean): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeGib = (bavail * bsize) / 2 ** 30;
  const neededGib = all ? ROOM_GIB.all : ROOM_GIB.usual;
  if (freeGib >= neededGib) return;
  throw new Error(
    `${folder} has room for ${freeGib.toFixed(1)} GiB, and the disks of the tests grow to ${neededGib} GiB. Make room there, or run the tests where there is some.`,
  );
}
