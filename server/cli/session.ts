import { readCliConfig } from './cli-config.ts';
import { CliError } from './cli-error.ts';
import { Client } from './client.ts';
import { findServer } from './server-address.ts';
import { contextLimit } from './setting.ts';
import { json } from './text.ts';
import { findToken } from './token.ts';
import type { CliWorld } from './world.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly server?: string;
  readonly token?: string;
  readonly data?: string;
  readonly json?: boolean;
}

/** What a command works with. */
export interface Session {
  readonly world: CliWorld;
  readonly client: Client;
  readonly json: boolean;
  /** True when the server was started for this command and ends with it. */
  readonly isOwnServer: boolean;
  /** On stdout. */
  print(text: string): void;
  printJson(value: unknown): void;
  /** On stderr, with a line end. */
  say(text: string): void;
}

export interface SessionNeeds {
  /** Why a server started for this command alone would be of no use; undefined where it is. */
  readonly runningServer?: string;
  /** The server of the data folder, whatever flag, environment and config file name: those say where something goes. */
  readonly isLocal?: boolean;
}

/** Opens a session for one task, and closes it whatever happens. */
export async function withSession(
  world: CliWorld,
  options: GlobalOptions,
  needs: SessionNeeds,
  task: (session: Session) => Promise<number>,
): Promise<number> {
  const data = dataFolder(world, options);
  const seen: CliWorld = needs.isLocal ? { ...world, env: {} } : world;
  const named = needs.isLocal ? { server: undefined, token: undefined } : options;
  const config = await readCliConfig(seen);
  const running = await findServer(seen, { server: named.server, data }, config);
  if (running === null && needs.runningServer !== undefined)
    throw new CliError(
      `no server runs on the data folder ${data}, and ${needs.runningServer}. Start one with \`warmboot serve\`, or name it with --server.`,
    );
  const own =
    running === null
      ? await world.startServer({
          data,
          images: world.env.WARMBOOT_IMAGES || null,
          ...contextLimit(world),
        })
      : null;
  try {
    const url = running?.url ?? own?.adminUrl.replace(/\/+$/, '') ?? '';
    const found = await findToken(seen, { token: named.token, data }, config, running?.from === 'config');
    const { token, source } = found;
    const client = new Client({ url, token, tokenSource: source, signal: world.signal });
    return await task({
      world,
      client,
      json: options.json ?? false,
      isOwnServer: own !== null,
      print: (text) => world.stdout.write(text),
      printJson: (value) => world.stdout.write(`${json(value)}\n`),
      say: (text) => world.stderr.write(`${text}\n`),
    });
  } finally {
    await own?.close();
  }
}

export function dataFolder({ env }: CliWorld, options: GlobalOptions): string {
  return options.data ?? (env.WARMBOOT_DATA || './data');
}

/** The width that tables have to fit; undefined where nobody looks and lines may be long. */
export function tableWidth({ stdout }: CliWorld): number | undefined {
  return stdout.isTTY ? (stdout.columns ?? 80) : undefined;
}
