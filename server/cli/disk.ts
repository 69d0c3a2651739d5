import { assignment, path } from './arguments.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { save } from './save.ts';
import type { Session } from './session.ts';

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
    .requiredOption('-o, --output <file>', 'where to write it; - is standard output', path)
    .option('--sector <bytes>', 'sectors of the disk: 512, or 4096 (boots by UEFI only)')
    .option('--seed <text>', 'disks with different seeds can be in one machine: their GUIDs differ')
    .option('--zst', 'as zstd frames, for "zstd -d" or a boot client')
    .addHelpText(
      'after',
      '\nExample: warmboot disk two-slots --slot a=debian-13 --slot b=debian-12 -o disk.img',
    )
    .action((layout: string, options: DiskOptions) => run({}, (session) => disk(session, layout, options)));
}

async function disk(session: Session, layout: string, options: DiskOptions): Promise<number> {
  const query = new URLSearchParams(options.slot);
  if (options.sector !== undefined) query.set('sector', options.sector);
  if (options.seed !== undefined) query.set('seed', options.seed);
  const name = `${segment(layout)}.img${options.zst ? '.zst' : ''}`;
  const { bytes } = await save(session, `/api/v1/disks/${name}?${query}`, options.output, 'disk');
  if (options.sector === '4096')
    session.remark('This disk has sectors of 4096 bytes: it boots by UEFI only.');
  if (session.json) session.printJson({ file: options.output, bytes });
  return 0;
}
