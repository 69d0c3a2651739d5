import { join } from 'node:path';
import type { CliConfig } from './cli-config.ts';
import { CliError, codeOf } from './cli-error.ts';
import { type Fetch, fetchFrom } from './server-trust.ts';
import type { CliWorld } from './world.ts';

/** A server that runs already. */
export interface RunningServer {
  /** Without a slash at its end. */
  readonly url: string;
  /** `data`: found by the note that it left in the data folder. */
  readonly from: 'flag' | 'environment' | 'config' | 'data';
  /** How its note says that it is to be asked; left out where there is no note. */
  readonly fetch?: Fetch;
}

/** How long a server that left a note may take to prove that it is the one. */
const PROOF_TIMEOUT_MS = 3000;

/**
 * Which server a command speaks to: flag, environment, config file, or one that runs on the data folder. The note
 * of the last one is believed only when what listens there gives the same instance, for it may be left from a crash.
 * @returns null when there is none: the command then starts its own
 */
export async function findServer(
  world: CliWorld,
  options: { readonly server: string | undefined; readonly data: string },
  config: CliConfig,
): Promise<RunningServer | null> {
  const ofConfig = (): RunningServer => ({
    url: namedServer(config.server ?? '', `"server" in ${config.path}`),
    from: 'config',
  });
  if (config.chosenBy !== 'file') return ofConfig();
  if (options.server !== undefined) return { url: namedServer(options.server, '--server'), from: 'flag' };
  const named = world.env.WARMBOOT_SERVER;
  if (named) return { url: namedServer(named, 'WARMBOOT_SERVER'), from: 'environment' };
  if (config.server !== null) return ofConfig();
  return serverOfData(world, options.data);
}

async function serverOfData(world: CliWorld, data: string): Promise<RunningServer | null> {
  const path = join(data, 'server.json');
  const note = noteOf(await world.readFile(path).catch((error: unknown) => unreadable(error, path)));
  if (note === null) return null;
  const url = note.adminUrl.replace(/\/+$/, '');
  // The note lies where only the server's owner writes: what it names is trusted, under the name of this machine itself.
  const fetch = note.caPem === null ? globalThis.fetch : fetchFrom(note.caPem, 'localhost');
  try {
    const response = await fetch(`${url}/healthz`, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.any([world.signal, AbortSignal.timeout(PROOF_TIMEOUT_MS)]),
    });
    const health: unknown = await response.json();
    return fieldOf(health, 'instance') === note.instance ? { url, from: 'data', fetch } : null;
  } catch {
    return null;
  }
}

function unreadable(error: unknown, path: string): null {
  if (codeOf(error) !== 'EACCES') return null;
  throw new CliError(
    `${path} cannot be read: permission denied. Run as the user of the server, or name it with --server and --token.`,
  );
}

function noteOf(text: string | null): { adminUrl: string; instance: string; caPem: string | null } | null {
  if (text === null) return null;
  try {
    const note: unknown = JSON.parse(text);
    const [adminUrl, instance] = [fieldOf(note, 'adminUrl'), fieldOf(note, 'instance')];
    if (typeof adminUrl !== 'string' || typeof instance !== 'string' || instance === '') return null;
    const ca = fieldOf(note, 'caPem');
    const caPem = typeof ca === 'string' ? ca : null;
    return /^https?:\/\//.test(adminUrl) ? { adminUrl, instance, caPem } : null;
  } catch {
    return null;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

/** @param where for the sentence that refuses it */
export function namedServer(text: string, where: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new CliError(
      `${where} is "${text}", which is no address. Write it as http://HOST:PORT, or a name in your config file.`,
      2,
    );
  if (url.username !== '' || url.password !== '')
    throw new CliError(`${where} holds a user name. A token is given with --token or WARMBOOT_TOKEN.`, 2);
  return url.href.replace(/\/+$/, '');
}
