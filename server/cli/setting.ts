import { InvalidArgumentError } from 'commander';
import { byteSize } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { CliWorld } from './world.ts';

/** A setting from the environment, read as its flag is; empty is not set. */
export function setting<T>({ env }: CliWorld, name: string, read: (text: string) => T): T | undefined {
  const text = env[`WARMBOOT_${name}`];
  if (!text) return undefined;
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new CliError(`WARMBOOT_${name} is "${text}". ${error.message}`, 2);
  }
}

/** `WARMBOOT_MAX_CONTEXT`, as an option for a server. */
export function contextLimit(world: CliWorld): { maxContextBytes?: number } {
  const bytes = setting(world, 'MAX_CONTEXT', byteSize);
  return bytes === undefined ? {} : { maxContextBytes: bytes };
}
