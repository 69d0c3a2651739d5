import type { Command } from 'commander';
import { DISK_RULES } from '../contract/hosts.ts';
import { type ProfileView, profileListSchema, profileSchema } from '../contract/profiles.ts';
import { bytes, duration } from '../words/quantity.ts';
import { byteSize, count, yesOrNo } from './arguments.ts';
import { segment } from './client.ts';
import type { Cli } from './command.ts';
import { tableWidth } from './session.ts';
import { table } from './table.ts';

const PROFILES = '/api/v1/profiles';

interface Settings {
  readonly layout?: string;
  readonly disk?: string;
  readonly append?: string;
  readonly switch?: string;
  readonly trial?: number;
  readonly rate?: number;
  readonly readBack?: boolean;
}

export function addProfile({ program, run }: Cli): void {
  const profile = program
    .command('profile')
    .description('Settings for many hosts at once.')
    .helpCommand(false);
  profile
    .command('list')
    .description('List the profiles.')
    .action(() =>
      run({}, async ({ client, json, print, printJson, say, world }) => {
        const { raw, data } = await client.get(PROFILES, profileListSchema);
        if (json) printJson(raw);
        else if (data.profiles.length === 0)
          say('There are no profiles. Make one: warmboot profile set NAME');
        else print(profileTable(data.profiles, tableWidth(world)));
        return 0;
      }),
    );
  profile
    .command('show')
    .description('Show one profile.')
    .argument('<name>')
    .action((name: string) =>
      run({}, async ({ client, json, print, printJson, world }) => {
        const { raw, data } = await client.get(`${PROFILES}/${segment(name)}`, profileSchema);
        if (json) printJson(raw);
        else print(profileTable([data], tableWidth(world)));
        return 0;
      }),
    );
  settings(profile.command('set'))
    .description(
      'Make a profile, or change it: it says what is given here and nothing else; its hosts change with it.',
    )
    .argument('<name>')
    .addHelpText(
      'after',
      '\nExample: warmboot profile set dell-r640 --append console=ttyS1,115200 --rate 50MiB',
    )
    .action((name: string, { trial, ...given }: Settings) =>
      run({}, async ({ client, json, print, printJson, world }) => {
        const wish = { ...given, ...(trial !== undefined && { trialSeconds: trial }) };
        const { raw, data } = await client.send('PUT', `${PROFILES}/${segment(name)}`, profileSchema, wish);
        if (json) printJson(raw);
        else print(profileTable([data], tableWidth(world)));
        return 0;
      }),
    );
  profile
    .command('rm')
    .description('Forget a profile that no host has.')
    .argument('<name>')
    .action((name: string) =>
      run({}, async ({ client, json, print }) => {
        await client.delete(`${PROFILES}/${segment(name)}`);
        if (!json) print(`${name} is forgotten.\n`);
        return 0;
      }),
    );
}

function settings(command: Command): Command {
  return command
    .option('--layout <name>', 'disk layout')
    .option('--disk <rule>', DISK_RULES)
    .option('--append <arguments>', "kernel arguments after the image's own")
    .option('--switch <mode>', 'kexec or reboot')
    .option('--trial <seconds>', 'how long an image on trial may take to prove itself', count)
    .option('--rate <size>', 'what staging may take of the network in a second, such as 20MiB', byteSize)
    .option(
      '--read-back <yes|no>',
      'whether a slot is read back from the disk and compared after it was written: yes or no',
      yesOrNo,
    );
}

function profileTable(profiles: readonly ProfileView[], fitTo?: number): string {
  return table(
    [
      { title: 'PROFILE', isDear: true, least: 10 },
      { title: 'LAYOUT' },
      { title: 'DISK' },
      { title: 'SWITCH' },
      { title: 'TRIAL' },
      { title: 'RATE' },
      { title: 'READ-BACK' },
      { title: 'APPEND', least: 8 },
    ],
    profiles.map((one) => [
      one.name,
      one.layout ?? '-',
      one.disk ?? '-',
      one.switch ?? '-',
      one.trialSeconds === null ? '-' : duration(one.trialSeconds * 1000),
      one.rate === null ? '-' : `${bytes(one.rate)}/s`,
      one.readBack == null ? '-' : one.readBack ? 'yes' : 'no',
      one.append ?? '-',
    ]),
    fitTo,
  );
}
