import { reassignedSchema } from '../contract/hosts.ts';
import { isMac, seconds } from './arguments.ts';
import { assignMany, type ManyOptions } from './assign-many.ts';
import { followAttempt } from './attempt.ts';
import { type Conditional, segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';
import type { Session, SessionNeeds } from './session.ts';

export function addAssign({ program, run }: Cli): void {
  program
    .command('assign')
    .description('Give a host, or all that fit a selector, the image that it shall run.')
    .argument('<mac|selector>', 'any MAC of one host, or a label selector for all that fit it')
    .argument('<image>', 'NAME, NAME:TAG or digest; resolved now and frozen')
    .option('--fresh', 'write the slot anew even if one holds the image')
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .option(...REVISION)
    .option('--yes', 'with a selector, on a terminal: move all hosts that fit it')
    .addHelpText(
      'after',
      '\nExamples: warmboot assign 52:54:00:12:34:56 debian-13:next --wait --timeout 600\n          warmboot assign pool=test debian-13:next --wait --yes',
    )
    .action((which: string, image: string, options: ManyOptions) =>
      run(needsOf(options), (session) =>
        isMac(which)
          ? order(session, which, options, {
              method: 'PUT',
              path: 'os',
              body: { image, ...(options.fresh ? { fresh: true } : {}) },
              what: image,
            })
          : assignMany(session, which, image, options),
      ),
    );
}

export const WAIT_HELP = 'follow to the end; exit 1 if it failed or was rolled back';
export const TIMEOUT_HELP = 'with --wait: wait no longer than this, then exit 1';

/** Options of the commands that begin an attempt. */
export interface OrderOptions extends Conditional {
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
  const { client, json, tell, printJson, say } = session;
  const path = `/api/v1/hosts/${segment(mac)}/${asked.path}`;
  const { raw, data } = await client.send(asked.method, path, reassignedSchema, asked.body, {
    revision: options.revision,
  });
  const { attempt, digest, reason } = data;
  if (attempt === null) {
    if (json) printJson(raw);
    else tell(`${mac} runs ${asked.what ?? digest} already.`);
    return 0;
  }
  if (options.wait) {
    say(`${mac}: attempt ${attempt}: ${reason}`);
    return followAttempt(session, mac, attempt, options.timeout ?? null);
  }
  if (json) printJson(raw);
  else tell(`${mac}: ${asked.what ?? digest} is ordered, attempt ${attempt}: ${reason}`);
  return 0;
}
