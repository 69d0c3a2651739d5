import { type CliConfig, readCliConfig } from './cli-config.ts';
import { CliError } from './cli-error.ts';
import { Client } from './client.ts';
import { findToken } from './find-token.ts';
import { isLookedAt } from './progress.ts';
import { findServer, type RunningServer } from './server-address.ts';
import { type Fetch, trustedFetch } from './server-trust.ts';
import { contextLimit } from './setting.ts';
import { clean, harmless, json } from './text.ts';
import type { CliWorld } from './world.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  readonly server?: string;
  readonly token?: string;
  readonly ca?: string;
  readonly pin?: string;
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
  /** On stdout, without what a terminal would obey. */
  print(text: string): void;
  /** One line for people, whatever is in it. */
  tell(sentence: string): void;
  printJson(value: unknown): void;
  /** The same on stderr. */
  say(sentence: string): void;
  /** So too, where somebody looks on: that what was told is done, and what to know of it. */
  remark(sentence: string): void;
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
  const named: GlobalOptions = needs.isLocal ? {} : options;
  const config = await readCliConfig(seen, named.server);
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
    const itsOwn = {
      url: own?.adminUrl.replace(/\/+$/, '') ?? '',
      from: 'data' as const,
      fetch: globalThis.fetch,
    };
    const client = await clientOf(seen, running ?? itsOwn, { ...named, data }, config);
    const say = (sentence: string) => world.stderr.write(`${clean(sentence)}\n`);
    return await task({
      world,
      client,
      json: options.json ?? false,
      isOwnServer: own !== null,
      print: (text) => world.stdout.write(harmless(text)),
      tell: (sentence) => world.stdout.write(`${clean(sentence)}\n`),
      printJson: (value) => world.stdout.write(`${json(value)}\n`),
      say,
      remark: (sentence) => {
        if (isLookedAt(world)) say(sentence);
      },
    });
  } finally {
    await own?.close();
  }
}

/** A client for that server, with the token that is meant for it. */
export async function clientOf(
  world: CliWorld,
  running: RunningServer,
  options: GlobalOptions & { readonly data: string },
  config: CliConfig,
): Promise<Client> {
  const fetch = await askerOf(world, running, options, config);
  const given = { token: options.token, data: options.data };
  const { token, source } = await findToken(world, given, config, running.from === 'config');
  return new Client({ url: running.url, token, tokenSource: source, signal: world.signal, fetch });
}

/** How to ask a server that runs: a note in the data folder says itself how, for any other one flag, environment or config file. */
async function askerOf(
  world: CliWorld,
  { url, from, fetch }: RunningServer,
  { ca, pin }: GlobalOptions,
  config: CliConfig,
): Promise<Fetch> {
  if (fetch) return fetch;
  return trustedFetch(world, url, {
    ca: ca ?? (from === 'config' ? (config.ca ?? undefined) : undefined),
    pin,
  });
}

export function dataFolder({ env }: CliWorld, options: GlobalOptions): string {
  return options.data ?? (env.WARMBOOT_DATA || './data');
}

/** The width that tables have to fit; undefined where nobody looks and lines may be long. */
export function tableWidth({ stdout }: CliWorld): number | undefined {
  return stdout.isTTY ? (stdout.columns ?? 80) : undefined;
}
