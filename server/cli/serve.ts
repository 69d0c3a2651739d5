import type { Cli } from './command.ts';
import { addServerFlags, SERVER_VARIABLES, type ServerFlags, serverSettings } from './server-settings.ts';

export function addServe({ program, world, globals, end }: Cli): void {
  const serve = program.command('serve').description('Run the server: boot plane, admin plane and TFTP.');
  addServerFlags(serve)
    .addHelpText(
      'after',
      `
Prints one JSON line on stdout when it is ready; logs JSON lines on stderr. Port 0 is any free port.
${SERVER_VARIABLES}
WARMBOOT_LOG is the level of the log: debug, info (default), warn, error or silent.
WARMBOOT_MAX_CONTEXT is the largest build context that is taken (default: 4GiB).

Example: warmboot serve --data /var/lib/warmboot --boot-url http://10.0.0.1:8080`,
    )
    .action(async (flags: ServerFlags) => {
      end(await world.serve(serverSettings(flags, world, globals()), world));
    });
}
