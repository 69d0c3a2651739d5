import { seconds } from './arguments.ts';
import { needsOf, type OrderOptions, order, TIMEOUT_HELP, WAIT_HELP } from './assign.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addRetry({ program, run }: Cli): void {
  program
    .command('retry')
    .description('Try the assigned image once more, after a failure or a rollback.')
    .argument('<mac>', 'any MAC of the host')
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .option(...REVISION)
    .action((mac: string, options: OrderOptions) =>
      run(needsOf(options), (session) =>
        order(session, mac, options, { method: 'POST', path: 'retry', body: {} }),
      ),
    );
}
