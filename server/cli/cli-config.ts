import { join } from 'node:path';
import { CliError, codeOf, message } from './cli-error.ts';
import type { CliWorld } from './world.ts';

/** The user's own settings, `warmboot/config.json` below `XDG_CONFIG_HOME` or `~/.config`. */
export interface CliConfig {
  readonly path: string;
  readonly server: string | null;
  readonly token: string | null;
}

export async function readCliConfig({ env, readFile }: CliWorld): Promise<CliConfig> {
  const home = env.XDG_CONFIG_HOME || (env.HOME ? join(env.HOME, '.config') : '');
  if (home === '') return { path: '', server: null, token: null };
  const path = join(home, 'warmboot', 'config.json');
  let text: string;
  try {
    text = await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error) ?? ''))
      return { path, server: null, token: null };
    throw new CliError(`${path} cannot be read: ${message(error)}`);
  }
  const config = object(text);
  const [server, token] = [config?.server ?? null, config?.token ?? null];
  if (!config || !isText(server) || !isText(token))
    throw new CliError(
      `${path} is not understood. It holds JSON like {"server": "http://HOST:PORT", "token": "…"}.`,
    );
  return { path, server, token };
}

function isText(value: unknown): value is string | null {
  return value === null || (typeof value === 'string' && value !== '');
}

function object(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
