import type { Command } from 'commander';
import { byteSize, count } from './arguments.ts';
import { setting } from './setting.ts';
import type { CliWorld, ServeOptions } from './world.ts';

/** How much a server sends to machines, so that a fleet which installs leaves the network to others. */

export interface LimitFlags {
  readonly maxTransfers?: number;
  readonly maxRate?: number;
  readonly maxTransfersPerHost?: number;
  readonly maxRatePerHost?: number;
}

export function addLimitFlags(command: Command): Command {
  return command
    .option(
      '--max-transfers <n>',
      'images sent at once; others wait for their turn (default: no limit; with --max-rate, one for each MiB of it)',
      count,
    )
    .option('--max-rate <size>', 'bytes per second of all images together, such as 500MiB', byteSize)
    .option('--max-transfers-per-host <n>', 'images sent at once to one host (default: no limit)', count)
    .option('--max-rate-per-host <size>', 'bytes per second of images for one host', byteSize);
}

/** @throws CliError for a variable that cannot be read */
export function limitSettings(flags: LimitFlags, world: CliWorld): ServeOptions['limits'] {
  return {
    atOnce: flags.maxTransfers ?? setting(world, 'MAX_TRANSFERS', count) ?? null,
    rate: flags.maxRate ?? setting(world, 'MAX_RATE', byteSize) ?? null,
    atOncePerHost: flags.maxTransfersPerHost ?? setting(world, 'MAX_TRANSFERS_PER_HOST', count) ?? null,
    ratePerHost: flags.maxRatePerHost ?? setting(world, 'MAX_RATE_PER_HOST', byteSize) ?? null,
  };
}

export const LIMIT_VARIABLES =
  'WARMBOOT_MAX_TRANSFERS, WARMBOOT_MAX_RATE, WARMBOOT_MAX_TRANSFERS_PER_HOST, WARMBOOT_MAX_RATE_PER_HOST';
