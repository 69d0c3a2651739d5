import { assignment } from './arguments.ts';
import { CliError, InterruptedError } from './cli-error.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { progressOn } from './progress.ts';
import type { Session } from './session.ts';
import { sparseFile } from './sparse-file.ts';

interface DiskOptions {
  readonly slot: Readonly<Record<string, string>>;
  readonly output: string;
  readonly sector?: string;
  readonly seed?: string;
  readonly zst?: boolean;
}

export function addDisk({ program, run }: Cli): void {
  program
    .command('disk')
    .description('Write a complete bootable disk; the same input gives the same bytes.')
    .argument('<layout>', 'a disk layout: the name of a file in images/disks/')
    .requiredOption(
      '--slot <letter=image>',
      'image of a slot; a is needed, the others may stay empty',
      assignment,
    )
    .requiredOption('-o, --output <file>', 'where to write it')
    .option('--sector <bytes>', 'sectors of the disk: 512, or 4096 (boots by UEFI only)')
    .option('--seed <text>', 'disks with different seeds can be in one machine: their GUIDs differ')
    .option('--zst', 'as zstd frames, for "zstd -d" or a boot client')
    .addHelpText(
      'after',
      '\nExample: warmboot disk two-slots --slot a=debian-13 --slot b=debian-12 -o disk.img',
    )
    .action((layout: string, options: DiskOptions) => run({}, (session) => disk(session, layout, options)));
}

async function disk({ client, world, say }: Session, layout: string, options: DiskOptions): Promise<number> {
  const query = new URLSearchParams(options.slot);
  if (options.sector !== undefined) query.set('sector', options.sector);
  if (options.seed !== undefined) query.set('seed', options.seed);
  const name = `${segment(layout)}.img${options.zst ? '.zst' : ''}`;
  const { bytes, parts } = await client.download(`/api/v1/disks/${name}?${query}`);
  const file = await sparseFile(options.output);
  const progress = progressOn(world);
  let done = 0;
  try {
    for await (const part of parts) {
      await file.write(part);
      done += part.length;
      progress.step({ phase: 'disk', message: '', bytesDone: done, bytesTotal: bytes });
    }
    if (done !== bytes)
      throw new CliError(`the server sent ${done} bytes of ${bytes}. Run the command again.`);
    await file.publish();
    progress.end('done');
  } catch (error) {
    progress.end('failed');
    if (world.signal.aborted) throw new InterruptedError('stopped; no disk was written.');
    throw error;
  } finally {
    await file.discard();
  }
  if (options.sector === '4096') say('This disk has sectors of 4096 bytes: it boots by UEFI only.');
  return 0;
}
