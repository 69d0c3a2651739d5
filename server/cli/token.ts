import { type Command, Option } from 'commander';
import { madeTokenSchema, newTokenSchema, type TokenView, tokenListSchema } from '../contract/tokens.ts';
import { timeSpan } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { relative } from './quantity.ts';
import { type Session, tableWidth } from './session.ts';
import { table } from './table.ts';

const PATH = '/api/v1/tokens';

/** Tokens of the admin plane. Which one a command itself uses is found by `find-token.ts`. */
export function addToken(cli: Cli): void {
  const token = cli.program
    .command('token')
    .description('Who may use the admin plane: make, list and revoke tokens.');
  addCreate(cli, token);
  addList(cli, token);
  addRevoke(cli, token);
}

function addCreate({ run }: Cli, token: Command): void {
  token
    .command('create')
    .description('Make a token; prints it, this once.')
    .argument('<name>', 'whose it is: stands in events as who did something')
    .addOption(
      new Option(
        '--role <role>',
        'viewer looks; operator works with hosts and images; admin may do everything',
      )
        .choices(newTokenSchema.shape.role.options)
        .makeOptionMandatory(),
    )
    .option('--expires <time>', 'as 30d, 12h or 90m from now; without it, never', timeSpan)
    .addHelpText('after', '\nExample: warmboot token create ci --role operator --expires 90d > ci.token')
    .action((name: string, { role, expires }: { role: string; expires?: number }) =>
      run({}, async ({ client, json, tell, printJson, say }) => {
        const wish = { name, role, ...(expires !== undefined && { expiresInSeconds: expires }) };
        const { raw, data } = await client.send('POST', PATH, madeTokenSchema, wish);
        if (json) printJson(raw);
        else {
          say(`The token "${data.name}", of role ${data.role}. Keep it: nobody can see it again.`);
          tell(data.token);
        }
        return 0;
      }),
    );
}

function addList({ run }: Cli, token: Command): void {
  token
    .command('list')
    .description('List the tokens, without what is secret in them.')
    .action(() =>
      run({}, async ({ client, json, print, printJson, world }) => {
        const { raw, data } = await client.get(PATH, tokenListSchema);
        if (json) printJson(raw);
        else print(tokenTable(data.tokens, world.now(), tableWidth(world)));
        return 0;
      }),
    );
}

function addRevoke({ run }: Cli, token: Command): void {
  token
    .command('revoke')
    .description('End a token at once, with its sessions.')
    .argument('<token>', 'its name, or its id')
    .action((text: string) =>
      run({}, async (session) => {
        const found = await named(session, text);
        await session.client.delete(`${PATH}/${segment(found.id)}`);
        if (!session.json) session.tell(`The token "${found.name}" is revoked.`);
        return 0;
      }),
    );
}

async function named({ client }: Session, text: string): Promise<TokenView> {
  const { tokens } = (await client.get(PATH, tokenListSchema)).data;
  const found = tokens.find(({ id }) => id === text) ?? tokens.find(({ name }) => name === text);
  if (found) return found;
  throw new CliError(`there is no token "${text}". See warmboot token list.`);
}

function tokenTable(tokens: readonly TokenView[], now: number, fitTo?: number): string {
  return table(
    [
      { title: 'NAME', least: 10, isDear: true },
      { title: 'ROLE' },
      { title: 'ID' },
      { title: 'MADE' },
      { title: 'BY', least: 8 },
      { title: 'EXPIRES' },
      { title: 'USED' },
    ],
    tokens.map(({ name, role, id, createdAt, createdBy, expiresAt, lastUsedAt }) => [
      name,
      role,
      id,
      relative(createdAt, now),
      createdBy ?? 'the server',
      expiresAt !== null && expiresAt <= now ? 'has expired' : relative(expiresAt, now),
      relative(lastUsedAt, now),
    ]),
    fitTo,
  );
}
