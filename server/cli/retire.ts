import { hostSchema } from '../contract/hosts.ts';
import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addRetire({ program, run }: Cli): void {
  program
    .command('retire')
    .description('Take a host out of service: it is told nothing any more. "approve" brings it back.')
    .argument('<mac>', 'any MAC of the host')
    .option(...REVISION)
    .action((mac: string, { revision }: Conditional) =>
      run({}, async ({ client, json, print, printJson }) => {
        const { raw } = await client.send(
          'POST',
          `/api/v1/hosts/${segment(mac)}/retire`,
          hostSchema,
          {},
          { revision },
        );
        if (json) printJson(raw);
        else print(`${mac} is retired: its token is worth nothing, and its disk stays as it is.\n`);
        return 0;
      }),
    );
}
