import { Command, CommanderError } from 'commander';
import { addApprove } from './approve.ts';
import { path } from './arguments.ts';
import { addAssign } from './assign.ts';
import { addBackup } from './backup.ts';
import { addBuild } from './build.ts';
import { CliError, ClosedPipeError, InterruptedError, message } from './cli-error.ts';
import type { Cli } from './command.ts';
import { addCompletion, answerShell, COMPLETE } from './completion.ts';
import { addDiscovery } from './discovery.ts';
import { addDisk } from './disk.ts';
import { addDoctor } from './doctor.ts';
import { addEnrol } from './enrol.ts';
import { addEvents } from './events.ts';
import { addFile } from './file.ts';
import { addHold, addResume } from './hold.ts';
import { addHost } from './host.ts';
import { addHosts } from './hosts.ts';
import { addIgnore } from './ignore.ts';
import { addImage } from './image.ts';
import { addImages } from './images.ts';
import { addKey } from './key.ts';
import { addLabel } from './label.ts';
import { addProfile } from './profile.ts';
import { addReinstall } from './reinstall.ts';
import { addRelease } from './release.ts';
import { addRemove } from './remove.ts';
import { addRestore } from './restore.ts';
import { addRetire } from './retire.ts';
import { addRetry } from './retry.ts';
import { addRollback } from './rollback.ts';
import { addRollout } from './rollout.ts';
import { addServe } from './serve.ts';
import { type GlobalOptions, withSession } from './session.ts';
import { addSet } from './set.ts';
import { addStatus } from './status.ts';
import { clean } from './text.ts';
import { addToken } from './token.ts';
import { addWebhook } from './webhook.ts';
import type { CliWorld } from './world.ts';

const EXIT_USAGE = 2;
/** By sysexits.h: a mistake of the program itself. */
const EXIT_BUG = 70;

/**
 * Runs one command to its end.
 * @param argv without node and script
 * @returns the exit code: 0 done, 1 refused or failed, 2 wrong use, 130 or 143 interrupted. Never throws.
 */
export async function runCli(argv: string[], world: CliWorld): Promise<number> {
  let exitCode = 0;
  const program = programOf(world);
  const cli: Cli = {
    program,
    world,
    globals: () => program.opts<GlobalOptions>(),
    run: async (needs, task) => {
      exitCode = await withSession(world, program.opts<GlobalOptions>(), needs, task);
    },
    end: (code) => {
      exitCode = code;
    },
  };
  for (const add of COMMANDS) add(cli);
  if (argv[0] === COMPLETE) return answerShell(program, argv.slice(1), world);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return exitCodeOf(error, world);
  }
}

const COMMANDS = [
  addServe,
  addStatus,
  addBuild,
  addImages,
  addImage,
  addEnrol,
  addApprove,
  addIgnore,
  addDiscovery,
  addHosts,
  addHost,
  addLabel,
  addSet,
  addFile,
  addProfile,
  addAssign,
  addRollout,
  addRetry,
  addReinstall,
  addRollback,
  addHold,
  addResume,
  addRetire,
  addRelease,
  addRemove,
  addEvents,
  addDisk,
  addToken,
  addKey,
  addDoctor,
  addWebhook,
  addBackup,
  addRestore,
  addCompletion,
];

function exitCodeOf(error: unknown, { stderr, signal }: CliWorld): number {
  if (error instanceof ClosedPipeError) return error.exitCode;
  // Commander has written its sentence already; help and version are no failure.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof CliError || (error instanceof Error && error.name === 'WarmbootError')) {
    // Failed checks and a step's last lines stand on lines of their own.
    stderr.write(`warmboot: ${message(error).split('\n').map(clean).join('\n')}\n`);
    if (error instanceof InterruptedError) return InterruptedError.exitCode(signal.reason);
    return error instanceof CliError ? error.exitCode : 1;
  }
  const stack = error instanceof Error ? error.stack : undefined;
  stderr.write(`warmboot: this should not happen, please report it: ${stack ?? message(error)}\n`);
  return EXIT_BUG;
}

function programOf({ version, stdout, stderr }: CliWorld): Command {
  return new Command('warmboot')
    .description('Boots bare-metal servers from images that are built from Dockerfiles.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .option('--server <url>', 'admin plane: address, or name in the config file (WARMBOOT_SERVER)')
    .option('--token <token>', 'token for it (WARMBOOT_TOKEN)')
    .option('--ca <file>', 'certificates that verify an admin plane with HTTPS (WARMBOOT_CA)', path)
    .option('--pin <fingerprint>', 'or the SHA-256 fingerprint of one that it shows (WARMBOOT_PIN)')
    .option('--data <dir>', 'data folder, for its server and token (WARMBOOT_DATA; default: ./data)', path)
    .option('--json', 'JSON for programs, as the API gives it')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => Math.min(stdout.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(stderr.columns ?? 100, 120),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(usageSentence(text)),
    })
    .exitOverride()
    .addHelpText('after', HELP_END);
}

/** Commander's "error: …\n(Did you mean …?)" as one line. */
function usageSentence(text: string): string {
  const [first = '', ...more] = text
    .replace(/^error: /, '')
    .trim()
    .split('\n');
  return `warmboot: ${clean([first, ...more].join(' ')).replace(/\.$/, '')}. See --help.\n`;
}

const HELP_END = `
  demo        build two images, netboot a virtual machine, jump from one image to the other
  test [unit|interop|e2e]
  try IMAGE|FILE
              boot an image or a disk in QEMU, its serial console on this terminal

Without --server a command speaks to the server that runs on the data folder; if none does, it starts one for itself.
"warmboot COMMAND --help" shows the options of a command.

Examples:
  warmboot serve --boot-url http://10.0.0.1:8080
  warmboot build debian-13
  warmboot enrol 52:54:00:12:34:56 --image debian-13 --label rack=b7
  warmboot assign 52:54:00:12:34:56 debian-13:next --wait
  warmboot hosts --state discovered
  warmboot approve 52:54:00:12:34:56 --image debian-13 --wait
  warmboot disk two-slots --slot a=debian-13 -o disk.img`;
