import type { FindingView } from '../contract/finding.ts';
import { CliError } from './cli-error.ts';
import type { Cli } from './command.ts';
import { everyImage } from './every-image.ts';
import { addServerFlags, SERVER_VARIABLES, type ServerFlags, serverSettings } from './server-settings.ts';
import { dataFolder } from './session.ts';
import { clean, json, pad } from './text.ts';
import type { CliWorld } from './world.ts';

export function addDoctor(cli: Cli): void {
  const { program, world, globals, end } = cli;
  const doctor = program
    .command('doctor')
    .description(
      'Look whether this machine and its network can boot hosts, and say how to mend what cannot.',
    );
  addServerFlags(doctor)
    .option('--no-wire', 'leave the network alone: do not ask its DHCP servers')
    .addHelpText(
      'after',
      `
Looks at the machine it runs on, as the user it runs as: run it where the server runs, as root, with the same settings.
Where a server runs on the data folder, that one is asked. To see the DHCP servers of a network it asks for an address as
firmware does, for six seconds, and takes none; it needs UDP port 68 for that. Nothing is changed. Exit code 1 when something is a problem.
${SERVER_VARIABLES}

Example: warmboot doctor --boot-url http://10.0.0.1:8080`,
    )
    .action(async (flags: ServerFlags & { readonly wire: boolean }) => {
      const { json: asJson, server } = globals();
      if (server !== undefined)
        throw new CliError('doctor looks at the machine it runs on: run it there, without --server.', 2);
      const findings: FindingView[] = [];
      const tell = (finding: FindingView) => {
        findings.push(finding);
        if (!asJson) world.stdout.write(lines(finding));
      };
      const settings = serverSettings(flags, world, globals());
      for await (const finding of world.examine(settings, { wire: flags.wire })) tell(finding);
      if (await isInUse(world, dataFolder(world, globals()))) tell(await installerFinding(cli));
      if (asJson) world.stdout.write(`${json({ findings })}\n`);
      else world.stdout.write(`\n${summary(findings)}\n`);
      end(findings.some(({ level }) => level === 'problem') ? 1 : 0);
    });
}

/** No data folder is made only to look at it. */
async function isInUse({ readFile }: CliWorld, data: string): Promise<boolean> {
  return readFile(`${data}/admin.token`).then(
    () => true,
    () => false,
  );
}

/** Machines netboot into the installer; it is an image in the store. */
async function installerFinding({ run }: Cli): Promise<FindingView> {
  const check = 'installer';
  let found: FindingView | undefined;
  try {
    await run({ isLocal: true }, async ({ client }) => {
      const { data: images } = await everyImage(client);
      const installer = images.find(
        ({ kind, tags }) => kind === 'installer' && tags.includes('installer:latest'),
      );
      found =
        installer && !installer.damaged
          ? { check, level: 'ok', what: 'the installer is built', mend: null }
          : {
              check,
              level: 'problem',
              what: installer
                ? 'the stored installer is damaged'
                : 'no installer was built, and machines netboot into it',
              mend: 'Run: warmboot build installer',
            };
      return 0;
    });
  } catch (error) {
    const what = `the images cannot be listed: ${error instanceof Error ? error.message : String(error)}`;
    found = { check, level: 'problem', what, mend: 'Mend that first, then look again.' };
  }
  if (!found) throw new Error('a session ended without a word');
  return found;
}

function lines({ level, check, what, mend }: FindingView): string {
  const head = `${pad(level, 7)}  ${pad(check, 11)}  ${clean(what)}\n`;
  return mend === null ? head : `${head}${' '.repeat(22)}→ ${clean(mend)}\n`;
}

function summary(findings: readonly FindingView[]): string {
  const count = (level: FindingView['level'], word: string): string => {
    const number = findings.filter((finding) => finding.level === level).length;
    return `${number} ${word}${number === 1 ? '' : 's'}`;
  };
  return `${count('problem', 'problem')}, ${count('warning', 'warning')}`;
}
