import { join } from 'node:path';
import { CliError, codeOf, message } from './cli-error.ts';
import type { CliWorld } from './world.ts';

/** The user's own settings, `warmboot/config.json` below `XDG_CONFIG_HOME` or `~/.config`, as far as this command needs them. */
export interface CliConfig {
  readonly path: string;
  readonly server: string | null;
  readonly token: string | null;
  /** Certificates that verify `server`, a path. */
  readonly ca: string | null;
  /**
   * What chose them: `file`, because nothing else names a server; or the name of an entry in `servers`, given by --server or
   * WARMBOOT_SERVER.
   */
  readonly chosenBy: 'flag' | 'environment' | 'file';
}

type Entry = Pick<CliConfig, 'server' | 'token' | 'ca'>;

const NOTHING: Entry = { server: null, token: null, ca: null };

/**
 * @param flag what --server says: an address, or a name in `servers`
 * @throws CliError for a file that is not understood
 */
export async function readCliConfig(
  { env, readFile }: Pick<CliWorld, 'env' | 'readFile'>,
  flag?: string,
): Promise<CliConfig> {
  const home = env.XDG_CONFIG_HOME || (env.HOME ? join(env.HOME, '.config') : '');
  const path = home === '' ? '' : join(home, 'warmboot', 'config.json');
  const text = path === '' ? null : await textOf(path, readFile);
  if (text === null) return { path, ...NOTHING, chosenBy: 'file' };
  const file = object(text);
  if (!isObject(file) || !isObject(file.servers ?? {})) throw notUnderstood(path);
  const servers = new Map(Object.entries(file.servers ?? {}));
  if (flag !== undefined && servers.has(flag))
    return { path, ...entry(servers.get(flag), path), chosenBy: 'flag' };
  const variable = env.WARMBOOT_SERVER;
  if (flag === undefined && variable && servers.has(variable))
    return { path, ...entry(servers.get(variable), path), chosenBy: 'environment' };
  const own = entry(file, path);
  if (own.server !== null && servers.has(own.server))
    return { path, ...entry(servers.get(own.server), path), chosenBy: 'file' };
  return { path, ...own, chosenBy: 'file' };
}

async function textOf(path: string, readFile: CliWorld['readFile']): Promise<string | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error) ?? '')) return null;
    throw new CliError(`${path} cannot be read: ${message(error)}`);
  }
}

function entry(value: unknown, path: string): Entry {
  if (!isObject(value)) throw notUnderstood(path);
  const [server, token, ca] = [value.server ?? null, value.token ?? null, value.ca ?? null];
  if (!isText(server) || !isText(token) || !isText(ca)) throw notUnderstood(path);
  return { server, token, ca };
}

function notUnderstood(path: string): CliError {
  return new CliError(
    `${path} is not understood. It holds JSON like {"server": "http://HOST:PORT", "token": "…"}, or {"server": "lab", "servers": {"lab": {"server": "http://HOST:PORT", "token": "…"}}}.`,
  );
}

function isText(value: unknown): value is string | null {
  return value === null || (typeof value === 'string' && value !== '');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function object(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
