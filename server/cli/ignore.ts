import { hostSchema } from '../contract/admin-plane.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';

export function addIgnore({ program, run }: Cli): void {
  program
    .command('ignore')
    .description('Leave a discovered machine to its disk, and out of the list of hosts.')
    .argument('<mac>', 'any MAC of the machine')
    .option('--undo', 'let it wait for approval again, from its next netboot on')
    .action((mac: string, { undo }: { undo?: boolean }) =>
      run({}, async ({ client, json, print, printJson }) => {
        const path = `/api/v1/hosts/${segment(mac)}/ignored`;
        const { raw, data } = await client.send('PUT', path, hostSchema, { ignored: !undo });
        if (json) printJson(raw);
        else print(`${data.mac} is ${data.state}: ${data.next.reason}\n`);
        return 0;
      }),
    );
}
