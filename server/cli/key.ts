import type { Command } from 'commander';
import { type KeyWire, keyListSchema, keySchema } from '../contract/keys.ts';
import { timeSpan } from './arguments.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { relative } from './quantity.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';

const PATH = '/api/v1/keys';

/** The keys that sign manifests. */
export function addKey(cli: Cli): void {
  const key = cli.program
    .command('key')
    .description('The keys that sign manifests: list them, let another follow, drop an old one.');
  addList(cli, key);
  addRotate(cli, key);
  addDrop(cli, key);
}

function addList({ run }: Cli, key: Command): void {
  key
    .command('list')
    .description('List the keys, and how many hosts can verify nothing but what each signs.')
    .action(() =>
      run({}, async ({ client, json, print, printJson, world }) => {
        const { raw, data } = await client.get(PATH, keyListSchema);
        if (json) printJson(raw);
        else print(keyTable(data.keys, world.now(), tableWidth(world)));
        return 0;
      }),
    );
}

function addRotate({ run }: Cli, key: Command): void {
  key
    .command('rotate')
    .description('Make a key that follows the active one. Hosts learn of it under the key that they hold.')
    .option('--overlap <time>', 'how long both count before it signs, as 7d or 12h (default: 7d)', timeSpan)
    .option('--now', 'it signs at once')
    .addHelpText(
      'after',
      '\nThe old key stays until no host needs it: see `warmboot key list`. Back up DATA/keys after this.',
    )
    .action(({ overlap, now }: { overlap?: number; now?: boolean }) =>
      run({ runningServer: 'hosts have to ask it for the new key' }, async (session) => {
        const wish = now ? { overlapSeconds: 0 } : overlap === undefined ? {} : { overlapSeconds: overlap };
        const { raw, data } = await session.client.send('POST', PATH, keySchema, wish);
        if (session.json) session.printJson(raw);
        else {
          const when = data.switchAt === null ? 'now' : new Date(data.switchAt).toISOString();
          session.say(`Key ${data.id} is announced and signs from ${when} on. Back up DATA/keys.`);
          session.tell(data.id);
        }
        return 0;
      }),
    );
}

function addDrop({ run }: Cli, key: Command): void {
  key
    .command('drop')
    .description('Destroy a key that does not sign.')
    .argument('<key>', 'its id')
    .option('--force', 'though hosts hold no other: they must be installed again')
    .action((id: string, { force }: { force?: boolean }) =>
      run({}, async ({ client }) => {
        await client.delete(`${PATH}/${segment(id)}${force ? '?force=true' : ''}`);
        return 0;
      }),
    );
}

function keyTable(keys: readonly KeyWire[], now: number, columns: number | undefined): string {
  const rows = keys.map(({ id, state, since, switchAt, dependents, hosts }) => [
    id,
    state,
    relative(since, now),
    switchAt === null ? '' : new Date(switchAt).toISOString(),
    state === 'dropped' ? '' : String(dependents),
    state === 'retiring' ? hosts.slice(0, 3).join(' ') : '',
  ]);
  const heads = ['KEY', 'STATE', 'SINCE', 'SIGNS FROM', 'HOSTS', 'WHICH'].map((title) => ({ title }));
  return table(heads, rows, columns);
}
