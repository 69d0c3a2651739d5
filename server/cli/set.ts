import { DISK_RULES, hostSchema } from '../contract/hosts.ts';
import { byteSize, count, yesOrNo } from './arguments.ts';
import { CliError } from './cli-error.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { REVISION } from './revision.ts';

/** Gives a setting back to the host's profile, or to the default. */
const BACK = 'default';

type Options = { readonly revision?: number; readonly profile?: string } & Record<
  string,
  string | number | boolean | undefined
>;

export function addSet({ program, run }: Cli): void {
  program
    .command('set')
    .description(`Change settings of a host; "${BACK}" gives one back to its profile.`)
    .argument('<mac>', 'any MAC of the host')
    .option('--profile <name>', '"none" takes it away')
    .option('--layout <name>', 'disk layout')
    .option('--disk <rule>', DISK_RULES)
    .option('--append <arguments>', "kernel arguments after the image's own")
    .option('--switch <mode>', 'kexec or reboot')
    .option('--trial <seconds>', 'how long an image on trial may take to prove itself', orBack(count))
    .option('--rate <size>', 'what staging may take of the network in a second', orBack(byteSize))
    .option(
      '--read-back <yes|no>',
      'whether a slot is read back from the disk and compared after it was written: yes or no',
      orBack(yesOrNo),
    )
    .option(...REVISION)
    .addHelpText('after', `\nExample: warmboot set 52:54:00:12:34:56 --profile dell-r640 --append ${BACK}`)
    .action((mac: string, { profile, trial, revision, ...options }: Options) => {
      const named = { ...options, ...(trial !== undefined && { trialSeconds: trial }) };
      const changes = {
        ...Object.fromEntries(
          Object.entries(named).map(([name, value]) => [name, value === BACK ? null : value]),
        ),
        ...(profile !== undefined && { profile: profile === 'none' ? null : profile }),
      };
      if (Object.keys(changes).length === 0) throw new CliError('Nothing is to be changed. See --help.', 2);
      return run({}, async ({ client, json, tell, printJson }) => {
        const { raw, data } = await client.patch(`/api/v1/hosts/${segment(mac)}`, hostSchema, changes, {
          revision,
        });
        if (json) printJson(raw);
        else tell(`${data.mac} is changed: ${Object.keys(changes).join(', ')}.`);
        return 0;
      });
    });
}

function orBack<Value>(read: (text: string) => Value): (text: string) => Value | string {
  return (text) => (text === BACK ? text : read(text));
}
