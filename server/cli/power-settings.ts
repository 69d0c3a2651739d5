import { type Command, InvalidArgumentError } from 'commander';
import { count, path } from './arguments.ts';
import { setting } from './setting.ts';
import type { CliWorld, ServeOptions } from './world.ts';

/** The operator's command for machines that do not come back from a jump. */

export interface PowerFlags {
  readonly powerHook?: string;
  readonly powerHookTimeout?: number;
  readonly powerHookMax?: number;
}

export function addPowerFlags(command: Command): Command {
  return command
    .option(
      '--power-hook <file>',
      'program that cycles the power of a host which said that it jumps and did not come back, once an attempt',
      path,
    )
    .option('--power-hook-timeout <seconds>', 'how long it may take (default: 120)', hookSeconds)
    .option('--power-hook-max <n>', 'how many run at once (default: 4)', hooks);
}

/** @throws CliError for a variable that cannot be read */
export function powerSettings(flags: PowerFlags, world: CliWorld): ServeOptions['powerHook'] {
  const file = flags.powerHook ?? setting(world, 'POWER_HOOK', path);
  if (file === undefined) return null;
  const seconds = flags.powerHookTimeout ?? setting(world, 'POWER_HOOK_TIMEOUT', hookSeconds) ?? 120;
  const atOnce = flags.powerHookMax ?? setting(world, 'POWER_HOOK_MAX', hooks) ?? 4;
  return { file, timeoutMs: seconds * 1000, atOnce };
}

function hookSeconds(text: string): number {
  return within(count(text), 1, 900, 'It is 1 to 900 seconds.');
}

function hooks(text: string): number {
  return within(count(text), 1, 100, 'It is 1 to 100.');
}

function within(value: number, least: number, most: number, why: string): number {
  if (value < least || value > most) throw new InvalidArgumentError(why);
  return value;
}

export const POWER_VARIABLES = 'WARMBOOT_POWER_HOOK, WARMBOOT_POWER_HOOK_TIMEOUT, WARMBOOT_POWER_HOOK_MAX';
