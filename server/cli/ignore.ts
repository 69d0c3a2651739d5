import { hostSchema } from '../contract/hosts.ts';
import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addIgnore({ program, run }: Cli): void {
  program
    .command('ignore')
    .description('Leave a discovered machine to its disk, and out of the list of hosts.')
    .argument('<mac>', 'any MAC of the machine')
    .option('--undo', 'let it wait for approval again, from its next netboot on')
    .option(...REVISION)
    .action((mac: string, { undo, revision }: { undo?: boolean } & Conditional) =>
      run({}, async ({ client, json, tell, printJson }) => {
        const path = `/api/v1/hosts/${segment(mac)}/ignored`;
        const { raw, data } = await client.send('PUT', path, hostSchema, { ignored: !undo }, { revision });
        if (json) printJson(raw);
        else tell(`${data.mac} is ${data.state}: ${data.next.reason}`);
        return 0;
      }),
    );
}
