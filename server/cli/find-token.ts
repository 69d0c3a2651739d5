import { join } from 'node:path';
import type { CliConfig } from './cli-config.ts';
import { CliError, codeOf } from './cli-error.ts';
import type { CliWorld } from './world.ts';

export interface FoundToken {
  readonly token: string | null;
  /** A sentence for the user whose token was refused. */
  readonly source: string;
}

/**
 * Flag, environment, config file, then the file that the server wrote into its data folder. A config file that names
 * a server keeps its token for that one; where --server names it by its name there, that token goes before the environment's.
 */
export async function findToken(
  world: CliWorld,
  options: { readonly token: string | undefined; readonly data: string },
  config: CliConfig,
  isServerOfConfig: boolean,
): Promise<FoundToken> {
  if (options.token !== undefined) return checked(options.token, '--token');
  const named = world.env.WARMBOOT_TOKEN;
  const isSaid = config.chosenBy === 'flag' && config.token !== null;
  if (named && !isSaid) return checked(named, 'WARMBOOT_TOKEN');
  if (config.token !== null && (config.server === null || isServerOfConfig))
    return checked(config.token, config.path);
  const path = join(options.data, 'admin.token');
  try {
    return checked((await world.readFile(path)).trim(), path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    const why = codeOf(error) === 'EACCES' ? `${path} may not be read by this user` : `there is no ${path}`;
    return { token: null, source: `No token was given, and ${why}: give --token or WARMBOOT_TOKEN.` };
  }
}

/** The token for a server that was named, never one of this machine's data folder: that would give it away. */
export function tokenOfNamed(
  world: CliWorld,
  flag: { readonly value: string | undefined; readonly name: string; readonly variable: string },
  config: CliConfig | null,
): FoundToken {
  if (flag.value !== undefined) return checked(flag.value, flag.name);
  const named = world.env[flag.variable];
  if (named) return checked(named, flag.variable);
  if (config !== null && config.token !== null) return checked(config.token, config.path);
  return { token: null, source: `No token was given: give ${flag.name} or ${flag.variable}.` };
}

/** An HTTP header takes no other characters, and no token has them. */
function checked(token: string, from: string): FoundToken {
  if (!/^[!-~]+$/.test(token))
    throw new CliError(`the token from ${from} is empty or holds characters that no token has.`, 2);
  return { token, source: `(The token came from ${from}.)` };
}
