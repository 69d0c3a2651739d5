import { seconds } from './arguments.ts';
import { needsOf, type OrderOptions, order, TIMEOUT_HELP, WAIT_HELP } from './assign.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

export function addReinstall({ program, run }: Cli): void {
  program
    .command('reinstall')
    .description('Install the assigned image from the start, at the next netboot.')
    .argument('<mac>', 'any MAC of the host')
    .option('--wipe', 'the disk may hold foreign data, which is lost')
    .option('--wait', WAIT_HELP)
    .option('--timeout <seconds>', TIMEOUT_HELP, seconds)
    .option(...REVISION)
    .action((mac: string, options: OrderOptions & { wipe?: boolean }) =>
      run(needsOf(options), (session) =>
        order(session, mac, options, {
          method: 'POST',
          path: 'reinstall',
          body: options.wipe ? { wipe: true } : {},
        }),
      ),
    );
}
