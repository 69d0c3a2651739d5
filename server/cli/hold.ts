import { hostSchema } from '../contract/hosts.ts';
import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addHold({ program, run }: Cli): void {
  program
    .command('hold')
    .description('Hold back the orders of a host, for maintenance, until it is resumed.')
    .argument('<mac>', 'any MAC of the host')
    .option('--reason <text>', 'told to whoever asks why')
    .option(...REVISION)
    .action((mac: string, { reason, revision }: { reason?: string } & Conditional) =>
      run({}, async ({ client, json, tell, printJson }) => {
        const path = `/api/v1/hosts/${segment(mac)}/hold`;
        const body = reason === undefined ? {} : { reason };
        const { raw } = await client.send('POST', path, hostSchema, body, { revision });
        if (json) printJson(raw);
        else tell(`${mac} is held: what is ordered waits until "warmboot resume ${mac}".`);
        return 0;
      }),
    );
}

export function addResume({ program, run }: Cli): void {
  program
    .command('resume')
    .description('Let the orders of a held host go on.')
    .argument('<mac>', 'any MAC of the host')
    .option(...REVISION)
    .action((mac: string, { revision }: Conditional) =>
      run({}, async ({ client, json, tell, printJson }) => {
        const { raw, data } = await client.send(
          'POST',
          `/api/v1/hosts/${segment(mac)}/resume`,
          hostSchema,
          {},
          { revision },
        );
        if (json) printJson(raw);
        else tell(`${mac}: ${data.next.action}: ${data.next.reason}`);
        return 0;
      }),
    );
}
