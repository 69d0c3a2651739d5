import { hostSchema } from '../contract/admin-plane.ts';
import { label } from './arguments.ts';
import type { Cli } from './command.ts';

interface EnrolOptions {
  readonly image?: string;
  readonly layout?: string;
  readonly disk?: string;
  readonly label?: Record<string, string>;
  readonly append?: string;
  readonly wipe?: boolean;
}

export function addEnrol({ program, run }: Cli): void {
  program
    .command('enrol')
    .description('Add a host; with an image it is installed at its next netboot.')
    .argument('<mac...>', 'the MACs of one machine, first the one that it boots from')
    .option('--image <image>', 'what it shall run: NAME, NAME:TAG or digest')
    .option('--layout <name>', 'disk layout (default: two-slots)')
    .option('--disk <rule>', 'smallest, first-empty, serial=…, wwn=… or path=/dev/… (default: smallest)')
    .option('--label <name=value>', 'a label; may be given more than once', label)
    .option('--wipe', 'the disk may hold foreign data, which is lost')
    .option('--append <arguments>', "kernel arguments after the image's own")
    .addHelpText(
      'after',
      '\nExample: warmboot enrol 52:54:00:12:34:56 --image debian-13 --disk serial=S4XF01 --label rack=b7 --wipe',
    )
    .action((macs: string[], { label: labels, ...options }: EnrolOptions) =>
      run({}, async ({ client, json, print, printJson }) => {
        const wish = { macs, ...options, ...(labels === undefined ? {} : { labels }) };
        const { raw, data } = await client.send('POST', '/api/v1/hosts', hostSchema, wish);
        if (json) printJson(raw);
        else
          print(
            `${data.mac} is enrolled${data.image ? ` for ${data.image.ref}` : ''}: ${data.next.reason}\n`,
          );
        return 0;
      }),
    );
}
