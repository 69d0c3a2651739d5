import { path } from './arguments.ts';
import { CliError } from './cli-error.ts';
import type { Cli } from './command.ts';
import { dataFolder, type GlobalOptions } from './session.ts';
import { json } from './text.ts';
import type { CliWorld, RestoreReport } from './world.ts';

export function addRestore({ program, world, globals, end }: Cli): void {
  program
    .command('restore')
    .description('Put a backup into the data folder, on which no server may work.')
    .argument('<file>', 'made by warmboot backup; - is standard input', path)
    .option('--replace', 'put what the data folder holds aside, in a folder of its own in it')
    .addHelpText(
      'after',
      `
Open attempts are failed, running rollouts paused: machines may have gone on since. Nothing is installed or switched until it is ordered.
What to look at afterwards: docs/operations.md.`,
    )
    .action(async (file: string, options: { replace?: boolean }) =>
      end(await restore(world, globals(), file, options.replace ?? false)),
    );
}

async function restore(
  world: CliWorld,
  options: GlobalOptions,
  file: string,
  replace: boolean,
): Promise<number> {
  if (options.server !== undefined)
    throw new CliError(
      'restore works on a data folder of this machine: name it with --data, not --server.',
      2,
    );
  const data = dataFolder(world, options);
  const backup = await world.openFile(file);
  try {
    const report = await world.restore({ data, backup, replace });
    if (options.json) world.stdout.write(`${json(report)}\n`);
    else for (const line of told(report, data)) world.stderr.write(`${line}\n`);
    return 0;
  } finally {
    await backup.close();
  }
}

function told(report: RestoreReport, data: string): string[] {
  const { madeAt, hosts, attemptsEnded, rolloutsPaused, imagesMissing, keptIn } = report;
  const made = new Date(madeAt).toISOString();
  return [
    `The backup of ${made} is in ${data}: ${counted(hosts, 'host')}. Start the server.`,
    ...(keptIn === null ? [] : [`What was there before is in ${keptIn}.`]),
    ...(attemptsEnded === 0
      ? []
      : [`${counted(attemptsEnded, 'open attempt')} ended as failed: warmboot hosts --state failed.`]),
    ...(rolloutsPaused === 0 ? [] : [`${counted(rolloutsPaused, 'rollout')} paused: warmboot rollout list.`]),
    ...(imagesMissing === 0
      ? []
      : [
          `${counted(imagesMissing, 'image')} not whole on this machine: warmboot images. Build or import them again.`,
        ]),
    'Tokens that were revoked since the backup are good again: warmboot token list.',
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
