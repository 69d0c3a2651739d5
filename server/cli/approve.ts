import { hostSchema } from '../contract/admin-plane.ts';
import { label, seconds } from './arguments.ts';
import { needsOf, type OrderOptions, TIMEOUT_HELP, WAIT_HELP } from './assign.ts';
import { followAttempt } from './attempt.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';

interface ApproveOptions extends OrderOptions {
  readonly image?: string;
  readonly layout?: string;
  readonly disk?: string;
  readonly label?: Record<string, string>;
  readonly append?: string;
  readonly wipe?: boolean;
}

export function addApprove({ program, run }: Cli): void {
  program
    .command('approve')
    .description('Let a discovered machine take part; with an image it is installed at once.')
    .argument('<mac>', 'any MAC of the machine')
    .option('--image <image>', 'what it shall run: NAME, NAME:TAG or digest')
    .option('--layout <name>', 'disk layout (default: two-slots)')
    .option('--disk <rule>', 'smallest, first-empty, serial=…, wwn=… or path=/dev/… (default: smallest)')
    .option('--label <name=value>', 'a label; may be given more than once', label)
    .option('--wipe', 'the disk may hold foreign data, which is lost')
    .option('--append <arguments>', "kernel arguments after the image's own")
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .addHelpText(
      'after',
      '\nExample: warmboot approve 52:54:00:12:34:56 --image debian-13 --label rack=b7 --wait',
    )
    .action((mac: string, { label: labels, wait, timeout, ...options }: ApproveOptions) =>
      run(needsOf({ ...(wait && { wait }) }), async (session) => {
        const { client, json, print, printJson, say } = session;
        const wish = { ...options, ...(labels !== undefined && { labels }) };
        const path = `/api/v1/hosts/${segment(mac)}/approve`;
        const { raw, data } = await client.send('POST', path, hostSchema, wish);
        const sentence = `${data.mac} is approved${data.image ? ` for ${data.image.ref}` : ''}: ${data.next.reason}`;
        if (wait && data.attempt) {
          say(sentence);
          return followAttempt(session, mac, data.attempt.id, timeout ?? null);
        }
        if (json) printJson(raw);
        else print(`${sentence}\n`);
        return 0;
      }),
    );
}
