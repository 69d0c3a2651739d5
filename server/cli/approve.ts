import { hostSchema } from '../contract/hosts.ts';
import { seconds } from './arguments.ts';
import { needsOf, type OrderOptions, TIMEOUT_HELP, WAIT_HELP } from './assign.ts';
import { followAttempt } from './attempt.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { addHostWish, type HostWish, hostWish } from './host-wish.ts';
import { REVISION } from './revision.ts';

type Options = HostWish & OrderOptions & { readonly as?: string };

export function addApprove({ program, run }: Cli): void {
  const approve = program
    .command('approve')
    .description('Let a discovered machine take part; with an image it is installed at once.')
    .argument('<mac>', 'any MAC of the machine');
  addHostWish(approve)
    .option('--as <mac>', 'this host, whose board or card was replaced; all that was said of it stays')
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .option(...REVISION)
    .addHelpText(
      'after',
      `
Examples: warmboot approve 52:54:00:12:34:56 --image debian-13 --label rack=b7 --wait
          warmboot approve 52:54:00:99:99:99 --as 52:54:00:12:34:56   # its board was replaced`,
    )
    .action((mac: string, { as, wait, timeout, revision, ...options }: Options) =>
      run(needsOf({ ...(wait && { wait }) }), async (session) => {
        const { client, json, tell, printJson, say } = session;
        const path = `/api/v1/hosts/${segment(mac)}/approve`;
        const wish = { ...hostWish(options), ...(as !== undefined && { as }) };
        const { raw, data } = await client.send('POST', path, hostSchema, wish, { revision });
        const what =
          as === undefined
            ? `is approved${data.image ? ` for ${data.image.ref}` : ''}`
            : `has these cards now: ${data.macs.join(', ')}`;
        const sentence = `${data.mac} ${what}: ${data.next.reason}`;
        if (wait && data.attempt) {
          say(sentence);
          return followAttempt(session, mac, data.attempt.id, timeout ?? null);
        }
        if (json) printJson(raw);
        else tell(sentence);
        return 0;
      }),
    );
}
