import { hostSchema } from '../contract/hosts.ts';
import { seconds } from './arguments.ts';
import { needsOf, type OrderOptions, TIMEOUT_HELP, WAIT_HELP } from './assign.ts';
import { followAttempt } from './attempt.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { addHostWish, type HostWish, hostWish } from './host-wish.ts';
import { REVISION } from './revision.ts';

export function addApprove({ program, run }: Cli): void {
  const approve = program
    .command('approve')
    .description('Let a discovered machine take part; with an image it is installed at once.')
    .argument('<mac>', 'any MAC of the machine');
  addHostWish(approve)
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .option(...REVISION)
    .addHelpText(
      'after',
      '\nExample: warmboot approve 52:54:00:12:34:56 --image debian-13 --label rack=b7 --wait',
    )
    .action((mac: string, { wait, timeout, revision, ...options }: HostWish & OrderOptions) =>
      run(needsOf({ ...(wait && { wait }) }), async (session) => {
        const { client, json, tell, printJson, say } = session;
        const path = `/api/v1/hosts/${segment(mac)}/approve`;
        const { raw, data } = await client.send('POST', path, hostSchema, hostWish(options), { revision });
        const sentence = `${data.mac} is approved${data.image ? ` for ${data.image.ref}` : ''}: ${data.next.reason}`;
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
