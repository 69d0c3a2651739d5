import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addRemove({ program, run }: Cli): void {
  program
    .command('remove')
    .description('Forget a host. Its disk stays as it is.')
    .argument('<mac>', 'any MAC of the host')
    .option(...REVISION)
    .action((mac: string, { revision }: Conditional) =>
      run({}, async ({ client, json, print }) => {
        await client.delete(`/api/v1/hosts/${segment(mac)}`, { revision });
        if (!json) print(`${mac} is forgotten; its disk stays as it is.\n`);
        return 0;
      }),
    );
}
