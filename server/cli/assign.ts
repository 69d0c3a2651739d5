import { reassignedSchema } from '../contract/admin-plane.ts';
import { seconds } from './arguments.ts';
import { followAttempt } from './attempt.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import type { Session, SessionNeeds } from './session.ts';

export function addAssign({ program, run }: Cli): void {
  program
    .command('assign')
    .description('Give a host the image that it shall run.')
    .argument('<mac>', 'any MAC of the host')
    .argument('<image>', 'NAME, NAME:TAG or digest; resolved now and frozen')
    .option('--fresh', 'write the slot anew even if one holds the image')
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .addHelpText('after', '\nExample: warmboot assign 52:54:00:12:34:56 debian-13:next --wait --timeout 600')
    .action((mac: string, image: string, options: OrderOptions & { fresh?: boolean }) =>
      run(needsOf(options), (session) =>
        order(session, mac, options, {
          method: 'PUT',
          path: 'os',
          body: { image, ...(options.fresh ? { fresh: true } : {}) },
          what: image,
        }),
      ),
    );
}

export const WAIT_HELP = 'follow to the end; exit 1 if it failed or was rolled back';
export const TIMEOUT_HELP = 'with --wait: wait no longer than this, then exit 1';

/** Options of the commands that begin an attempt. */
export interface OrderOptions {
  readonly wait?: boolean;
  readonly timeout?: number;
}

export function needsOf({ wait }: OrderOptions): SessionNeeds {
  return wait
    ? {
        runningServer:
          'one started for this command alone cannot be reached by any host, so there would be nothing to wait for',
      }
    : {};
}

interface Order {
  readonly method: string;
  /** Below the host. */
  readonly path: string;
  readonly body: unknown;
  /** The image, for the sentence that tells the outcome. */
  readonly what?: string;
}

/** Sends an order that begins an attempt, says what came of it, and follows it where that is wanted. */
export async function order(
  session: Session,
  mac: string,
  options: OrderOptions,
  asked: Order,
): Promise<number> {
  const { client, json, print, printJson, say } = session;
  const path = `/api/v1/hosts/${segment(mac)}/${asked.path}`;
  const { raw, data } = await client.send(asked.method, path, reassignedSchema, asked.body);
  const { attempt, digest, reason } = data;
  if (attempt === null) {
    if (json) printJson(raw);
    else print(`${mac} runs ${asked.what ?? digest} already.\n`);
    return 0;
  }
  if (options.wait) {
    say(`${mac}: attempt ${attempt}: ${reason}`);
    return followAttempt(session, mac, attempt, options.timeout ?? null);
  }
  if (json) printJson(raw);
  else print(`${mac}: ${asked.what ?? digest} is ordered, attempt ${attempt}: ${reason}\n`);
  return 0;
}
