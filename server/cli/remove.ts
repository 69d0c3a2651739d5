import { segment } from './client.ts';
import type { Cli } from './command.ts';

export function addRemove({ program, run }: Cli): void {
  program
    .command('remove')
    .description('Forget a host. Its disk stays as it is.')
    .argument('<mac>', 'any MAC of the host')
    .action((mac: string) =>
      run({}, async ({ client, json, print }) => {
        await client.delete(`/api/v1/hosts/${segment(mac)}`);
        if (!json) print(`${mac} is forgotten; its disk stays as it is.\n`);
        return 0;
      }),
    );
}
