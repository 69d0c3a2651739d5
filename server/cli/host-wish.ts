import type { Command } from 'commander';
import { DISK_RULES } from '../contract/hosts.ts';
import { byteSize, count, label, yesOrNo } from './arguments.ts';

/** What an operator may say of a host when it is let in: the same for one that is enrolled and one that was discovered. */
export interface HostWish {
  readonly image?: string;
  readonly profile?: string;
  readonly layout?: string;
  readonly disk?: string;
  readonly label?: Record<string, string>;
  readonly append?: string;
  readonly wipe?: boolean;
  readonly trial?: number;
  readonly rate?: number;
  readonly readBack?: boolean;
}

export function addHostWish(command: Command): Command {
  return command
    .option('--image <image>', 'what it shall run: NAME, NAME:TAG or digest')
    .option('--profile <name>', 'whose settings count where none are given here')
    .option('--layout <name>', 'disk layout (default: two-slots)')
    .option('--disk <rule>', `${DISK_RULES} (default: smallest)`)
    .option('--label <name=value>', 'a label; may be given more than once', label)
    .option('--wipe', 'the disk may hold foreign data, which is lost')
    .option('--append <arguments>', "kernel arguments after the image's own")
    .option(
      '--trial <seconds>',
      "how long an image on trial may take to prove itself (default: the server's own)",
      count,
    )
    .option(
      '--rate <size>',
      'what staging may take of the network in a second, such as 20MiB (default: no limit)',
      byteSize,
    )
    .option(
      '--read-back <yes|no>',
      'whether a slot is read back from the disk and compared after it was written: yes or no (default: yes)',
      yesOrNo,
    );
}

/** As the API takes it. */
export function hostWish({ label: labels, trial, ...rest }: HostWish) {
  return {
    ...rest,
    ...(labels !== undefined && { labels }),
    ...(trial !== undefined && { trialSeconds: trial }),
  };
}
