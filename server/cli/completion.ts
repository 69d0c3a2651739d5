import { Argument, type Command } from 'commander';
import { hostFileListSchema } from '../contract/host-files.ts';
import { hostListSchema } from '../contract/hosts.ts';
import { readCliConfig } from './cli-config.ts';
import type { Client } from './client.ts';
import type { Cli } from './command.ts';
import { type Candidate, complete, type KnownNames } from './complete.ts';
import { COMPLETION_SCRIPTS } from './completion-scripts.ts';
import { everyImage } from './every-image.ts';
import { filesOf } from './file.ts';
import { findServer } from './server-address.ts';
import { clientOf, dataFolder, type GlobalOptions } from './session.ts';
import { clean } from './text.ts';
import type { CliWorld } from './world.ts';

/** A person waits with a finger on the key. */
const ASK_MS = 1_500;
/** More are not read by anybody. */
const MOST_CANDIDATES = 500;

export const COMPLETE = '__complete';

export function addCompletion({ program, world, end }: Cli): void {
  program
    .command('completion')
    .description('Print what makes a shell complete commands, options, MACs and images.')
    .addArgument(new Argument('<shell>').choices(Object.keys(COMPLETION_SCRIPTS)))
    .addHelpText('after', '\nExample, in ~/.bashrc: source <(warmboot completion bash)')
    .action((shell: string) => {
      world.stdout.write(COMPLETION_SCRIPTS[shell] ?? '');
      end(0);
    });
}

/**
 * Answers a shell: fitting words on stdout, one a line. Whatever goes wrong, nothing is offered and nothing is said: the
 * line belongs to the user who types it.
 */
export async function answerShell(
  program: Command,
  words: readonly string[],
  world: CliWorld,
): Promise<number> {
  try {
    const found = await complete(program, words, namesOf(words, world));
    if (found === 'files') world.stdout.write(':files\n');
    else
      for (const { text, about } of found.candidates.slice(0, MOST_CANDIDATES))
        world.stdout.write(`${clean(text)}\t${clean(about)}\n`);
  } catch {
    // As if there were no such names.
  }
  return 0;
}

/** Of a server that runs; none is started for this. */
function namesOf(words: readonly string[], world: CliWorld): KnownNames {
  const signal = AbortSignal.any([world.signal, AbortSignal.timeout(ASK_MS)]);
  return {
    async macs(typed) {
      const client = await clientFor(words, { ...world, signal });
      if (client === null) return [];
      const { data } = await client.get(`/api/v1/hosts?${new URLSearchParams({ q: typed })}`, hostListSchema);
      return data.hosts.flatMap(({ macs, state, image }): Candidate[] =>
        macs.map((text) => ({ text, about: `${state} ${image?.ref ?? ''}`.trim() })),
      );
    },
    async hostFiles(mac) {
      const client = await clientFor(words, { ...world, signal });
      if (client === null) return [];
      const { data } = await client.get(filesOf(mac), hostFileListSchema);
      return data.files.map(({ path, mode, owner }) => ({ text: path, about: `${mode} ${owner}` }));
    },
    async images() {
      const client = await clientFor(words, { ...world, signal });
      if (client === null) return [];
      const { data: images } = await everyImage(client);
      return images.flatMap(({ tags, os }) =>
        tags.map((text) => ({ text: text.replace(/:latest$/, ''), about: os })),
      );
    },
  };
}

async function clientFor(words: readonly string[], world: CliWorld): Promise<Client | null> {
  const options = globalsIn(words);
  const data = dataFolder(world, options);
  const config = await readCliConfig(world, options.server);
  const running = await findServer(world, { server: options.server, data }, config);
  if (running === null) return null;
  return clientOf(world, running, { ...options, data }, config);
}

/** The line is not finished, so it cannot be parsed as one: only what names a server is looked for. */
function globalsIn(words: readonly string[]): GlobalOptions {
  const given = (flag: string): string | undefined => {
    const at = words.indexOf(flag);
    const inline = words.find((word) => word.startsWith(`${flag}=`));
    // The last word is still being typed.
    return (
      inline?.slice(flag.length + 1) ?? (at < 0 || at + 1 >= words.length - 1 ? undefined : words[at + 1])
    );
  };
  const names = ['server', 'token', 'data', 'ca', 'pin'] as const;
  const found = names.map((name) => [name, given(`--${name}`)] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}
