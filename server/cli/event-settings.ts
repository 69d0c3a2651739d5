import { type Command, InvalidArgumentError } from 'commander';
import { yesOrNo } from './arguments.ts';
import { setting } from './setting.ts';
import type { CliWorld, ServeOptions } from './world.ts';

/** How long a server keeps its events, and whom it may tell of them. */

const DAYS = 400;
const COUNT = 2_000_000;

export interface EventFlags {
  readonly eventDays?: number;
  readonly eventCount?: number;
  readonly webhookLinkLocal?: boolean;
}

export function addEventFlags(command: Command): Command {
  return command
    .option(
      '--event-days <n>',
      `days that events are kept, or 0 for as long as there is room (default: ${DAYS})`,
      whole,
    )
    .option('--event-count <n>', `events that are kept at most, or 0 (default: ${COUNT})`, whole)
    .option(
      '--webhook-link-local',
      'webhooks may ask link-local and metadata addresses too (default: they may not)',
    );
}

export function eventSettings(flags: EventFlags, world: CliWorld): ServeOptions['events'] {
  const days = flags.eventDays ?? setting(world, 'EVENT_DAYS', whole) ?? DAYS;
  const count = flags.eventCount ?? setting(world, 'EVENT_COUNT', whole) ?? COUNT;
  return {
    days: days === 0 ? null : days,
    count: count === 0 ? null : count,
    webhookLinkLocal: flags.webhookLinkLocal ?? setting(world, 'WEBHOOK_LINK_LOCAL', yesOrNo) ?? false,
  };
}

export const EVENT_VARIABLES =
  'WARMBOOT_EVENT_DAYS, WARMBOOT_EVENT_COUNT, WARMBOOT_WEBHOOK_LINK_LOCAL (yes or no)';

function whole(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}
