import { hostSchema } from '../contract/hosts.ts';
import type { Cli } from './command.ts';
import { addHostWish, type HostWish, hostWish } from './host-wish.ts';

export function addEnrol({ program, run }: Cli): void {
  const enrol = program
    .command('enrol')
    .description('Add a host; with an image it is installed at its next netboot.')
    .argument('<mac...>', 'the MACs of one machine, first the one that it boots from');
  addHostWish(enrol)
    .addHelpText(
      'after',
      '\nExample: warmboot enrol 52:54:00:12:34:56 --image debian-13 --disk serial=S4XF01 --label rack=b7 --wipe',
    )
    .action((macs: string[], options: HostWish) =>
      run({}, async ({ client, json, printJson, tell }) => {
        const wish = { macs, ...hostWish(options) };
        const { raw, data } = await client.send('POST', '/api/v1/hosts', hostSchema, wish);
        if (json) printJson(raw);
        else
          tell(`${data.mac} is enrolled${data.image ? ` for ${data.image.ref}` : ''}: ${data.next.reason}`);
        return 0;
      }),
    );
}
