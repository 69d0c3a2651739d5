import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild, startProgram } from './child.ts';
import { inCheckout } from './paths.ts';
import { filesystemBytesIn, type ListedImage, layoutFor, type TryLayout } from './try-layout.ts';
import type { TryOptions } from './try-options.ts';

/** Has `./warmboot disk` write a disk with the image in slot a, its progress on our stderr. @returns its exit code */
export async function composeDisk(options: TryOptions, disk: string, signal: AbortSignal): Promise<number> {
  const { what } = options;
  const layout =
    options.layout ?? layoutFor(what, await filesystemBytes(options, signal), await shippedLayouts());
  const args = [...whereOf(options), 'disk', layout, '--slot', `a=${what}`, '-o', disk];
  return runChild(inCheckout('warmboot'), args, { stdio: ['ignore', 'inherit', 'inherit'] }, signal);
}

function whereOf({ data, server }: TryOptions): string[] {
  return [...(data === null ? [] : ['--data', data]), ...(server === null ? [] : ['--server', server])];
}

async function filesystemBytes(options: TryOptions, signal: AbortSignal): Promise<number> {
  const child = startProgram(inCheckout('warmboot'), [...whereOf(options), 'images', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error('the images cannot be listed; the reason stands above');
  const { images } = JSON.parse(output) as { images: readonly ListedImage[] };
  return filesystemBytesIn(images, options.what);
}

async function shippedLayouts(): Promise<TryLayout[]> {
  const folder = inCheckout('images/disks');
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json'));
  return Promise.all(
    files.map(async (file) => ({
      table: 'gpt' as const,
      ...JSON.parse(await readFile(join(folder, file), 'utf8')),
      name: file.slice(0, -'.json'.length),
    })),
  );
}
