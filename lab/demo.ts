import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { buildImage } from './build.ts';
import { runInNamespaces } from './namespace.ts';
import { DEMO_USAGE, type DemoOptions, parseDemoOptions } from './options.ts';
import { inCheckout } from './paths.ts';
import type { DemoPlan } from './plan.ts';
import { Screen } from './screen.ts';
import type { BuiltImage } from './story.ts';
import { type Entry, formatSeconds } from './timeline.ts';
import { keepFolder, makeWorkFolder, removeFolder } from './work-folder.ts';

/** What is built, in this order; the guests run the OS images. */
const IMAGES = ['installer', 'debian-12', 'debian-13'];

process.exitCode = await main(process.argv.slice(2));

/**
 * `./warmboot demo`. Out here images are built, for that needs Docker and the network; the rest happens inside namespaces, see
 * demo-rack.ts. @returns the exit code
 */
async function main(args: readonly string[]): Promise<number> {
  let options: DemoOptions | 'help';
  try {
    options = parseDemoOptions(args);
  } catch (error) {
    return complain((error as Error).message);
  }
  if (options === 'help') {
    process.stdout.write(DEMO_USAGE);
    return 0;
  }
  if (process.getuid?.() !== 0)
    return complain('the demo makes network namespaces and needs root: run it with sudo');

  const data = options.data === null ? inCheckout('.cache/lab') : resolve(options.data);
  await mkdir(data, { recursive: true });
  const folder = await makeWorkFolder('demo');
  let code = 1;
  try {
    code = await run(options, data, folder);
  } catch (error) {
    complain((error as Error).message);
  }
  if (code === 0 || code === 130) {
    if (!options.keep) await removeFolder(folder);
  } else {
    process.stderr.write(`warmboot: the logs lie in ${folder}\n`);
  }
  if (options.keep) process.stderr.write(`warmboot: disks and logs lie in ${await keepFolder(folder)}\n`);
  return code;
}

async function run(options: DemoOptions, data: string, folder: string): Promise<number> {
  const beganAt = Date.now();
  const screen = new Screen(beganAt);
  const entries: Entry[] = [];
  const images: BuiltImage[] = [];

  const stopped = new AbortController();
  const stop = () => stopped.abort();
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    for (const name of IMAGES) {
      screen.line('', `building ${name} from images/${name}/Dockerfile`);
      // On a terminal the build shows by itself that it goes on.
      if (!process.stderr.isTTY) screen.waits('', `building ${name}`);
      const from = Date.now();
      const image = await buildImage(name, data, stopped.signal);
      const at = Date.now();
      images.push(image);
      entries.push({
        guest: '',
        phase: `image ${name} built`,
        at,
        tookMs: at - from,
        seenBy: 'command line',
      });
      screen.line('', `${name} is ${image.digest.slice(0, 19)}…, ${formatSeconds(at - from)} s`);
    }
  } catch (error) {
    if (stopped.signal.aborted) return 130;
    throw error;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }

  const plan: DemoPlan = { options, data, folder, beganAt, entries, images: images.slice(1) };
  const planFile = join(folder, 'plan.json');
  await writeFile(planFile, JSON.stringify(plan));
  return runInNamespaces([inCheckout('lab/demo-rack.ts'), planFile], { graceful: true });
}

function complain(sentence: string): number {
  process.stderr.write(`warmboot: ${sentence}\n`);
  return 1;
}
