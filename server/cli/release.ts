import { hostSchema } from '../contract/hosts.ts';
import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addRelease({ program, run }: Cli): void {
  program
    .command('release')
    .description('Take a host’s token away; it gets another at its next install.')
    .argument('<mac>', 'any MAC of the host')
    .option('--reason <text>', 'why, for the event log')
    .option(...REVISION)
    .action((mac: string, { reason, revision }: { reason?: string } & Conditional) =>
      run({}, async ({ client, json, tell, printJson }) => {
        const path = `/api/v1/hosts/${segment(mac)}/release`;
        const { raw, data } = await client.send(
          'POST',
          path,
          hostSchema,
          reason === undefined ? {} : { reason },
          { revision },
        );
        if (json) printJson(raw);
        else
          tell(
            `${data.mac} has no token any more: it goes on running, and is refused until it is installed again (warmboot reinstall ${data.mac}).`,
          );
        return 0;
      }),
    );
}
